namespace NanoFold.Kernels.Calls;

/// <summary>Rotary positions of heads [B, T, H, D], as <see cref="RopeCall"/> has them: the first R elements of each head are turned.</summary>
/// <param name="Table">[positions, R]: R/2 cosines, then R/2 sines of each position.</param>
/// <param name="Positions">Position of each row's first token, Int32 [B], or none for 0.</param>
/// <param name="Interleaved">Pairs (2i, 2i + 1) in place of (i, i + R/2).</param>
public readonly record struct HeadRotation(View Table, View Positions, bool Interleaved)
{
    /// <summary>R.</summary>
    public int Width => Table.Layout[1];

    /// <summary>The call that turns heads where they lie.</summary>
    /// <param name="heads">[B, T, H, D].</param>
    /// <param name="inverse">Turns back.</param>
    public RopeCall InPlace(in View heads, bool inverse)
    {
        View part = heads.With(heads.Layout.Slice(3, 0, Math.Min(Width, heads.Layout[3]), out long offset), offset);
        return new RopeCall(part, part, Table, Positions, Interleaved, inverse, Accumulate: false);
    }

    /// <summary>Turns the gradients of queries and keys back where they lie, in one call where they lie side by side. One that is none is left out.</summary>
    public void TurnBack(IKernel<RopeCall> rope, in View dq, in View dk)
    {
        ArgumentNullException.ThrowIfNull(rope);
        if (!dq.IsNone && !dk.IsNone && IsBeside(dq, dk))
        {
            rope.Run(InPlace(dq.With(dq.Layout.WithLength(2, dq.Layout[2] + dk.Layout[2])), inverse: true));
            return;
        }

        if (!dq.IsNone)
        {
            rope.Run(InPlace(dq, inverse: true));
        }

        if (!dk.IsNone)
        {
            rope.Run(InPlace(dk, inverse: true));
        }
    }

    internal HeadRotation Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { Table = visitor.Visit("table", Table, Access.Read), Positions = visitor.Visit("positions", Positions, Access.Read) };

    private static bool IsBeside(in View q, in View k)
        => ReferenceEquals(q.Buffer, k.Buffer) && k.Offset == q.Offset + ((long)q.Layout[2] * q.Layout[3]) && q.Layout.Stride(2) == q.Layout[3] && k.Layout.Stride(2) == k.Layout[3]
            && q.Layout.Stride(0) == k.Layout.Stride(0) && q.Layout.Stride(1) == k.Layout.Stride(1);
}
