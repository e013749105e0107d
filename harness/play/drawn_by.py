"""Asks an adapter what draws its views, once the agent has read one that is drawn."""

from __future__ import annotations

from harness.play.episode import Episode
from harness.play.inference import Watch
from harness.play.start_digest import is_drawn

__all__ = ["note_renderer"]


def note_renderer(episode: Episode, watch: Watch) -> BaseException | None:
    """Set `episode.renderer` once a drawn view was read; returns why the adapter cannot say it.

    Call it after each answer of the agent, while `episode.renderer` is None. An adapter is not
    asked for an agent that reads nothing drawn: to ask may cost a context of OpenGL.
    """
    if any(map(is_drawn, episode.views_read())):
        watch.guard("simulator", episode.slot.patience, episode.tickets)
        try:
            episode.renderer = episode.slot.renderer_info()
        except KeyboardInterrupt:
            raise
        except BaseException as fault:
            return fault
        finally:
            watch.deadline = 0.0
    return None
