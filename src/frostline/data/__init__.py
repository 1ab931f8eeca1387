"""From a source of labelled pictures to packed arrays: sources, manifest, images, splits, packed."""
