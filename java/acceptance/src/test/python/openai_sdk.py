"""OpenAI's client for Python against a server: python openai_sdk.py http://localhost:8080/v1"""

import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0, timeout=60)
question = [
    {"role": "developer", "content": "You tell stories."},
    {"role": "user", "content": [{"type": "text", "text": "Tell me of a fox."}]},
]
wanted = dict(model="any", messages=question, max_completion_tokens=12, temperature=0, seed=5)

whole = client.chat.completions.create(**wanted, logprobs=True, top_logprobs=2)
text = whole.choices[0].message.content
assert text and whole.usage.completion_tokens == 12, whole
assert len(whole.choices[0].logprobs.content) == 12, whole
assert len(whole.choices[0].logprobs.content[0].top_logprobs) == 2, whole
assert whole.choices[0].finish_reason == "length", whole

pieces, usage = [], None
for chunk in client.chat.completions.create(**wanted, stream=True, stream_options={"include_usage": True}):
    usage = chunk.usage or usage
    pieces += [choice.delta.content or "" for choice in chunk.choices]
assert "".join(pieces) == text, (pieces, text)
assert usage.completion_tokens == 12, usage

both = client.chat.completions.create(**wanted, n=2)
assert [choice.index for choice in both.choices] == [0, 1], both
assert both.choices[0].message.content == text, both

told = client.completions.create(model="any", prompt="Once upon a time", max_tokens=8, logprobs=1)
assert told.choices[0].text and len(told.choices[0].logprobs.tokens) == 8, told
parts = list(client.completions.create(model="any", prompt="Once upon a time", max_tokens=8, stream=True))
assert len(parts) > 1, parts

models = client.models.list().data
assert len(models) == 1 and client.models.retrieve(models[0].id).id == models[0].id, models


def expect(kind, param, **more):
    try:
        client.chat.completions.create(**{**wanted, **more})
    except kind as error:
        assert error.param == param, error
    else:
        raise AssertionError(f"{more} was served")


expect(openai.BadRequestError, "temperature", temperature=-1)
expect(openai.BadRequestError, "tools", tools=[{"type": "function", "function": {"name": "f"}}])
expect(openai.BadRequestError, "response_format", response_format={"type": "json_object"})
expect(openai.BadRequestError, "max_completion_tokens", max_completion_tokens=1_000_000)
try:
    client.models.retrieve("another")
    raise AssertionError("there is another model")
except openai.NotFoundError:
    pass

with client.chat.completions.create(**{**wanted, "max_completion_tokens": 150}, stream=True, extra_body={"ignore_eos": True}) as stream:
    next(iter(stream))  # and no more: closing it cancels the request
print("passed")
