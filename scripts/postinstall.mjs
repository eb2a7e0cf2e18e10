// Placeholder until the patches land in the same session; replaced by the transport's owner.
