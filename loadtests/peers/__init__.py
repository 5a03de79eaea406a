"""Other designs, written as well as their authors would, to be measured beside ours."""
