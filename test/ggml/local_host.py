#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A host that loads ggml privately (RTLD_LOCAL), as Python and Node do: usage: local_host.py FOLDER
[yes|no]. Succeeds if ggml in FOLDER takes the plug-in that GGML_BACKEND_PATH names, or does not; and
never takes a copy of the same plug-in as a second one."""
import ctypes
import glob
import os
import shutil
import sys
import tempfile

folder, expected = sys.argv[1], sys.argv[2] == "yes"
name = sorted(glob.glob(f"{folder}/libggml.so") + glob.glob(f"{folder}/libggml.v*.so"))[0]
ggml = ctypes.CDLL(name, mode=ctypes.RTLD_LOCAL)
ggml.ggml_backend_reg_get.restype = ctypes.c_void_p
ggml.ggml_backend_reg_get.argtypes = [ctypes.c_size_t]
ggml.ggml_backend_reg_count.restype = ctypes.c_size_t
reg_name = ggml.ggml_backend_reg_name  # in libggml-base, which libggml needs
reg_name.restype = ctypes.c_char_p
reg_name.argtypes = [ctypes.c_void_p]

ggml.ggml_backend_load.restype = ctypes.c_void_p
ggml.ggml_backend_load.argtypes = [ctypes.c_char_p]

ggml.ggml_backend_load_all_from_path(folder.encode())
names = [reg_name(ggml.ggml_backend_reg_get(i)).decode() for i in range(ggml.ggml_backend_reg_count())]
print("backends:", *names)
ok = "CPU" in names and ("TMAC" in names) == expected
with tempfile.TemporaryDirectory() as other:
    copy = shutil.copy(os.environ["GGML_BACKEND_PATH"], other)
    ok = ok and (not expected or not ggml.ggml_backend_load(copy.encode()))
sys.exit(0 if ok else 1)
