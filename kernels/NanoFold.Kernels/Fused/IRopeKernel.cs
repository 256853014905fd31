namespace NanoFold.Kernels.Fused;

/// <summary>
/// Rotary position embedding: pairs (i, i + D/2) (half-split, Hugging Face) or (2i, 2i + 1) (interleaved, llama2.c) of each head turned by position · θᵢ.
/// </summary>
public interface IRopeKernel
{
    /// <param name="x">[B, T, H, D], last stride 1.</param>
    /// <param name="y">Same shape; may be x itself.</param>
    /// <param name="table">[positions, D]: D/2 cosines, then D/2 sines of each position.</param>
    /// <param name="positions">Position of each row's first token, Int32 [B], or none for 0.</param>
    /// <param name="inverse">Turns back: the gradient.</param>
    void Apply(in View x, in View y, in View table, in View positions, bool interleaved, bool inverse, bool accumulate);
}
