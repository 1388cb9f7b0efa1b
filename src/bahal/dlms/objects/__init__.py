"""The one object model: COSEM classes, the objects of a meter, and their values, for the server and for the client.

`classes` names attributes and methods; `model` puts objects and rights together; `serving` answers from a device;
`reading` gives names and units to what a client received; `profile`, `disconnect` and `security_setup` hold what
classes 7, 70 and 64 have beyond attributes.
"""
