"""Writes rows as messages of protobuf, by Google's own library.

    python3 write_values.py FILE

FILE: a line with the schemas by their names, then a line {"schema": NAME, "message": NAME, "row": {…}} for each row, as
protobuf's own JSON. Prints each message in hexadecimal digits, one a line.
"""
import json
import os
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


def pool(text):
    """The types of a schema."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "schema.proto"), "w", encoding="utf-8") as file:
            file.write(text)
        subprocess.run(
            ["protoc", "-I.", "--include_imports", "--descriptor_set_out=out", "schema.proto"], check=True, cwd=folder)
        with open(os.path.join(folder, "out"), "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    types = descriptor_pool.DescriptorPool()
    for file in files.file:
        types.Add(file)
    return types


with open(sys.argv[1], encoding="utf-8") as lines:
    pools = {name: pool(text) for name, text in json.loads(next(lines)).items()}
    factories = {name: message_factory.MessageFactory(types) for name, types in pools.items()}
    for line in lines:
        entry = json.loads(line)
        kind = pools[entry["schema"]].FindMessageTypeByName(entry["message"])
        message = factories[entry["schema"]].GetPrototype(kind)()
        json_format.ParseDict(entry["row"], message)
        print(message.SerializeToString().hex())
