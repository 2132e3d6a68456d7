"""What rclpy's lifecycle leaves out: refused transitions that do not kill the node, and errors that are told."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from mift_ros.errors import MiftError

Node = TypeVar("Node", bound=LifecycleNode)
Transition = Callable[[Node, LifecycleState], TransitionCallbackReturn]


def guard_transitions(node: LifecycleNode) -> None:
    """Answer an invalid transition request with success=False; rclpy lets it stop the executor (rclpy#1209)."""
    service = next(s for s in node.services if s.srv_name.endswith("/change_state"))
    inner = service.callback

    def guarded(request: Any, response: Any) -> Any:
        try:
            return inner(request, response)
        except rclpy_implementation.RCLError as error:
            reason = str(error).split(", at ")[0]
            wanted = request.transition.label or request.transition.id
            node.get_logger().warning(f"transition {wanted} refused: {reason}")
            response.success = False
            return response

    service.callback = guarded


def reported(transition: Transition[Node]) -> Transition[Node]:
    """Log why a transition fails: MiftError as one line and FAILURE, anything else with its trace and ERROR.

    The line stays in the node's `trouble`, for its diagnostics.
    """

    @functools.wraps(transition)
    def wrapper(self: Node, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(self, state)
        except MiftError as error:
            self.trouble = str(error)
            self.get_logger().error(f"{transition.__name__} failed: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # rclpy would swallow it unlogged
            self.trouble = f"{type(error).__name__}: {error}".splitlines()[0]
            self.get_logger().error(f"{transition.__name__} failed\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR

    return wrapper
