"""The routes of uploaded files, as part of the route table."""

from gateway.http.handlers import audio
from gateway.http.route import Route
from gateway.schemas import Message
from shared.uploaded_files import UploadedFile

# Of the media types that are accepted, those that generators of clients know.
FILE_TYPES = ("application/octet-stream", "multipart/form-data")

UPLOAD_ROUTES = (
    Route(
        method="POST",
        path="/api/v1/audio",
        handler=audio.upload,
        operation_id="audio_upload",
        endpoint="upload",
        summary="Upload a WAV, FLAC, Ogg, MP3 or MIDI file",
        description=(
            "The file is the body, or the field `file` of a form. Its content decides its type. At most 64 MiB and ten "
            "minutes; it is deleted after as many days as audio is kept."
        ),
        file_types=FILE_TYPES,
        responses={200: UploadedFile},
        problems=(400, 408, 411, 413, 415, 422, 503),
        headers=("Content-Digest",),
    ),
    Route(
        method="GET",
        path="/api/v1/audio/{audio_id}",
        handler=audio.describe,
        operation_id="audio_describe",
        endpoint="uploaded",
        summary="Describe an uploaded file",
        description="404 once it has been deleted.",
        responses={200: UploadedFile},
        problems=(404, 503),
    ),
    Route(
        method="DELETE",
        path="/api/v1/audio/{audio_id}",
        handler=audio.remove,
        operation_id="audio_remove",
        endpoint="delete_upload",
        summary="Delete an uploaded file",
        description="Jobs that were made of it keep their music.",
        responses={200: Message},
        problems=(404, 503),
    ),
)
