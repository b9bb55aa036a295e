"""The documented shape of every refusal."""

from marshmallow import fields

from app.schemas.base import ShopSchema


class ProblemSchema(ShopSchema):
    """A problem answer (RFC 9457)."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    code = fields.String(metadata={"description": "A stable word for programs."})
    message = fields.String(metadata={"description": "The same as `detail`."})
    request_id = fields.String(allow_none=True)
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "What is wrong with which field, where fields are wrong."},
    )
