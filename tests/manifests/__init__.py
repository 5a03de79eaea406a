"""What deploy/k8s says, read and held against the code.

rendering   the overlays as `kubectl kustomize` renders them, without it
checking    what is wrong in the rendered documents, as sentences
crds        … against the schemas of others' kinds, where those are at hand
paths       who may reach whom by the policies, and who needs to
kubelet     the containers as processes of this machine, each pod with a loopback address of its own
"""
