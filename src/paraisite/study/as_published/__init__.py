"""The study as its own code runs it: the quirks of github.com/liudakl/ParAIsite as switches, each to be turned off."""
