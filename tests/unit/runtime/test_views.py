"""Views of broadcast topics take what their topic carries, and say what it means for the work."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from streams.domain.cameras import Camera, SemanticSearch
from streams.pipeline import needs_pictures
from streams.runtime.views import CameraView
from tests.support.builders import event


def test_a_message_of_another_topic_is_a_bug() -> None:
    with pytest.raises(TypeError, match="cameras does not carry Event"):
        CameraView(needs_pictures).apply(event())


def test_a_camera_that_nothing_needs_pictures_of_is_told() -> None:
    with capture_logs() as logs:
        CameraView(needs_pictures).apply(Camera(name="porch", semantic_search=SemanticSearch(enabled=False)))
        CameraView(needs_pictures).apply(Camera(name="drive"))
    assert [entry["camera"] for entry in logs] == ["porch"]
