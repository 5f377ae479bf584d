"""Does a run come out again, and if not, why?"""
