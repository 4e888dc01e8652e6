"""Routes about the deliveries of webhooks."""

from gateway.http.handlers import webhook_deliveries
from gateway.http.route import Route
from gateway.schemas.delivery_views import DeliveriesQuery, DeliveryList, ResendRequest

WEBHOOK_ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/webhooks/deliveries",
        handler=webhook_deliveries.list_deliveries,
        operation_id="webhooks_list_deliveries",
        endpoint="deliveries",
        summary="List deliveries of webhooks",
        description="Those of the last three days. 404 while webhooks are off.",
        query=DeliveriesQuery,
        responses={200: DeliveryList},
        problems=(404, 422, 503),
    ),
    Route(
        method="POST",
        path="/api/v1/webhooks/deliveries",
        handler=webhook_deliveries.send_again,
        operation_id="webhooks_send_again",
        endpoint="send_again",
        summary="Deliver an event again, or all of a job that failed",
        description="The answer has all deliveries of the job. 409 if there is nothing to send.",
        body=ResendRequest,
        responses={200: DeliveryList},
        problems=(400, 404, 408, 409, 413, 415, 422, 503),
    ),
)
