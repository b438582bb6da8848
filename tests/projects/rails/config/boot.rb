# Gems of the system, without Bundler.
