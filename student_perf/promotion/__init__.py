"""May a model take the champion's place?"""
