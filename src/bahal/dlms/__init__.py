"""DLMS/COSEM for Indian smart meters, bytes in and events out: no socket, no clock, no threads.

Client and server share one codec, one transition table and one object model.  Facts come from the public standards (IEC
62056 and the DLMS UA Green and Blue Books, IS 15959).  No capture of an Indian meter was found anywhere: conformance is
shown against the Green Book's vectors and independent peers only.
"""
