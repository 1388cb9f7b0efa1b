"""The one object model: COSEM classes, the objects of a meter, and their values, for the server and for the client.

`classes` names attributes and methods; `model` puts objects and rights together; `serving` answers from a device;
`reading` gives names and units to what a client received; `profile`, `disconnect`, `security_setup` and `image` hold
what classes 7, 70, 64 and 18 have beyond attributes; `parts` and `payment` are a meter's objects that do something.
"""
