using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// Rows of a table of rotary positions for tokens of texts whose length decides their frequencies: of token t of row b, factor · cos and factor · sin of
/// (positions[b] + t) · θ, with θ of the length lengths[b].
/// </summary>
public readonly record struct RopeRowsCall : IKernelCall<RopeRowsCall>
{
    /// <summary>A whole turn in what positions are multiplied by.</summary>
    public const long Turn = 1L << 48;

    // Sine and cosine.
    private const int Flops = 20;

    public static string Name => "rope-rows";

    /// <summary>[N, R]: what a position turns pairs by, in parts of <see cref="Turn"/>: R/2 upper halves of 24 bits, then R/2 lower ones, as whole numbers. Row 0 serves lengths up to <see cref="First"/>, each row after it one more token, the last one all others.</summary>
    public required View Turns { get; init; }

    /// <summary>Position of each row's first token, Int32 [B].</summary>
    public required View Positions { get; init; }

    /// <summary>Tokens of each row's text, Int32 [B].</summary>
    public required View Lengths { get; init; }

    /// <summary>[B · T, R]: R/2 cosines, then R/2 sines of each token.</summary>
    public required View Y { get; init; }

    /// <summary>The length up to which the first row serves.</summary>
    public required int First { get; init; }

    /// <summary>On cosines and sines.</summary>
    public double Factor { get; init; }

    public KernelCost Cost => new((double)Y.Count * Flops, Operands.Bytes(this with { Turns = default }));

    public void Check()
    {
        RowCheck.Matrix(Name, "y", Y);
        Checks.Writable(Name, "y", Y);
        Checks.Rank(Name, "positions", Positions, 1);
        int batch = Positions.Layout[0];
        RowCheck.Matrix(Name, "turns", Turns, Y.Type, Turns.Layout.Rank == 2 ? Turns.Layout[0] : 0, Y.Layout[1]);
        RowCheck.Vector(Name, "positions", Positions, DType.Int32, batch);
        RowCheck.Vector(Name, "lengths", Lengths, DType.Int32, batch);
        if (Y.Layout[1] % 2 != 0 || batch == 0 || Y.Layout[0] % batch != 0 || Y.Type.Is16Bit() || !Y.Layout.IsContiguous)
        {
            RowCheck.Fail(Name, "y", Y, $"contiguous rows of an even width, as many for each of {batch} texts, in full precision");
        }
    }

    public RopeRowsCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Turns = visitor.Visit("turns", Turns, Access.Read),
            Positions = visitor.Visit("positions", Positions, Access.Read),
            Lengths = visitor.Visit("lengths", Lengths, Access.Read),
            Y = visitor.Visit("y", Y, Access.Write),
        };
}
