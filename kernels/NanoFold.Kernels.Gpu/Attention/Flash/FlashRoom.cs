namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>Bytes of the scratch of a kernel that computes all gradients, one part after the other.</summary>
/// <param name="Rows">What <see cref="DeltaRows"/> puts there.</param>
/// <param name="Sums">Of dq, in single precision.</param>
/// <param name="Turns">See <see cref="FlashTurns"/>; 0 when the kernel starts.</param>
internal readonly record struct FlashRoom(long Rows, long Sums, long Turns)
{
    public long Bytes => Rows + Sums + Turns;

    /// <summary>Whether a view of floats can have as many elements.</summary>
    public bool Fits => Bytes / sizeof(float) < int.MaxValue;

    /// <param name="batch">Rows of the batch.</param>
    /// <param name="heads">Of queries.</param>
    /// <param name="time">Queries.</param>
    /// <param name="queries">Of a block.</param>
    /// <param name="width">Columns of dq that are computed.</param>
    /// <param name="warps">That add to dq.</param>
    public static FlashRoom Of(int batch, int heads, int time, int queries, int width, int warps)
    {
        long blocks = (long)batch * heads * Blocks(time, queries);
        return new(DeltaRows.Bytes(batch, time, heads), blocks * queries * width * sizeof(float), FlashTurns.Bytes(blocks, warps));
    }

    /// <summary>Blocks of a size.</summary>
    public static int Blocks(int count, int size) => (count + size - 1) / size;
}
