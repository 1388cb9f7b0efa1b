"""A hostile web process for drills: it holds all that the application holds, and tries to cut a whole state.

It has the database role `app` with its password and every application secret, one stolen officer's key, warrants that
two officers really signed for something else, and the meters' addresses. It has not what the interlock alone holds: its
folder, its database role and the meters' relay keys. Nothing here is imported by the product's rooms.
"""
