"""Values that change during training: schedules of the step, and controllers of the KL weight."""

from keras_devae.schedules.controllers import IncrementalPIController, PositionPIController
from keras_devae.schedules.functions import (
    ConstantSchedule,
    ExponentialSchedule,
    GeometricSchedule,
    LinearSchedule,
    Schedule,
    StageSchedule,
    get_schedule,
    released_pressures,
)
from keras_devae.schedules.step_counter import StepCounter

__all__ = [
    "ConstantSchedule",
    "ExponentialSchedule",
    "GeometricSchedule",
    "IncrementalPIController",
    "LinearSchedule",
    "PositionPIController",
    "Schedule",
    "StageSchedule",
    "StepCounter",
    "get_schedule",
    "released_pressures",
]
