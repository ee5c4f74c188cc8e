// How the process holds its memory; set once, at its start.

internal import CMemory

/// Lets memory follow what is in use: large blocks go back to the system when they are freed.
package func giveBackLargeBlocks() { sluice_give_back_large_blocks() }
