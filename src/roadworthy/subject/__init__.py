"""What is audited: task, splits, roles of columns, model, recipe; readers; the built-in subjects."""

from roadworthy.subject.assemble import subject_from_table
from roadworthy.subject.builtin import BUILTIN, builtin_subject
from roadworthy.subject.columns import Attribute, Column, Roles
from roadworthy.subject.decision import DecisionRule
from roadworthy.subject.fields import fields_of
from roadworthy.subject.grouping import Grouping
from roadworthy.subject.intake import Model, model_from_file, model_from_object, with_model
from roadworthy.subject.live import subject_from
from roadworthy.subject.model import (
    AdversarialTraining,
    Augmentation,
    GroupTraining,
    Network,
    Pretraining,
    Recipe,
)
from roadworthy.subject.options import DataOptions
from roadworthy.subject.predictions import PredictionColumns, subject_from_predictions
from roadworthy.subject.predictor import Predictor
from roadworthy.subject.propose import Proposal, propose, roles_of
from roadworthy.subject.python_file import load_subject
from roadworthy.subject.readers import read_table, subject_from_file
from roadworthy.subject.subject import Split, Subject
from roadworthy.subject.task import Task
from roadworthy.subject.variant import Trainer, Variant

__all__ = [
    "BUILTIN",
    "AdversarialTraining",
    "Attribute",
    "Augmentation",
    "Column",
    "DataOptions",
    "DecisionRule",
    "GroupTraining",
    "Grouping",
    "Model",
    "Network",
    "PredictionColumns",
    "Predictor",
    "Pretraining",
    "Proposal",
    "Recipe",
    "Roles",
    "Split",
    "Subject",
    "Task",
    "Trainer",
    "Variant",
    "builtin_subject",
    "fields_of",
    "load_subject",
    "model_from_file",
    "model_from_object",
    "propose",
    "read_table",
    "roles_of",
    "subject_from",
    "subject_from_file",
    "subject_from_predictions",
    "subject_from_table",
    "with_model",
]
