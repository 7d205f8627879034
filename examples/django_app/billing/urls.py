"""Where the views are."""

from __future__ import annotations

from django.urls import path

from invoices import views

urlpatterns = [
    path("invoices", views.create),
    path("invoices/<str:invoice_id>", views.show),
]

handler404 = "invoices.views.not_found"
handler500 = "invoices.views.failed"
