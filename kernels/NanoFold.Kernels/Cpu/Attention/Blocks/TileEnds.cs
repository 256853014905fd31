using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Blocks;

/// <summary>
/// What becomes of the sums of a tile while they are in registers. A pass over a block of scores afterwards would cost a load and a store of each, and the units that multiply
/// would wait meanwhile.
/// </summary>
internal interface ITileEnd : ITileEnd<float>, ITileEnd<double>, ITileEnd<Vector128<float>>, ITileEnd<Vector256<float>>, ITileEnd<Vector512<float>>
{
}

/// <summary>An end of tiles of a vector.</summary>
internal unsafe interface ITileEnd<V>
    where V : struct
{
    /// <summary>Whether it reads <see cref="TileRun.Columns"/>.</summary>
    static abstract bool HasColumns { get; }

    /// <param name="sum">Of a row and a vector of columns.</param>
    /// <param name="target">Where the result will be stored.</param>
    /// <param name="column">The vector of <see cref="TileRun.Columns"/>.</param>
    /// <param name="row">Of the tile.</param>
    V Of(V sum, byte* target, V column, nint row);
}

/// <summary>An end of tiles whose rows may differ.</summary>
/// <typeparam name="TSelf">The end.</typeparam>
internal interface IRowEnd<TSelf>
{
    /// <summary>The end of tiles that begin with a row.</summary>
    TSelf From(nint row);
}

/// <summary>Sums stay what they are.</summary>
internal readonly unsafe struct SumEnd : ITileEnd, IRowEnd<SumEnd>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static bool HasColumns => false;

    public SumEnd From(nint row) => default;

    [MethodImpl(Inline)]
    public float Of(float sum, byte* target, float column, nint row) => sum;

    [MethodImpl(Inline)]
    public double Of(double sum, byte* target, double column, nint row) => sum;

    [MethodImpl(Inline)]
    public Vector128<float> Of(Vector128<float> sum, byte* target, Vector128<float> column, nint row) => sum;

    [MethodImpl(Inline)]
    public Vector256<float> Of(Vector256<float> sum, byte* target, Vector256<float> column, nint row) => sum;

    [MethodImpl(Inline)]
    public Vector512<float> Of(Vector512<float> sum, byte* target, Vector512<float> column, nint row) => sum;
}

/// <summary>Sums of a row times its factor.</summary>
/// <param name="factors">Of the tile's first row.</param>
/// <param name="step">Bytes from one to the next; 0 where all rows have one.</param>
internal readonly unsafe struct FactorEnd(void* factors, nint step) : ITileEnd, IRowEnd<FactorEnd>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static bool HasColumns => false;

    public FactorEnd From(nint row) => new(At(row), step);

    [MethodImpl(Inline)]
    public float Of(float sum, byte* target, float column, nint row) => sum * *(float*)At(row);

    [MethodImpl(Inline)]
    public double Of(double sum, byte* target, double column, nint row) => sum * *(double*)At(row);

    [MethodImpl(Inline)]
    public Vector128<float> Of(Vector128<float> sum, byte* target, Vector128<float> column, nint row) => sum * Vector128.Create(*(float*)At(row));

    [MethodImpl(Inline)]
    public Vector256<float> Of(Vector256<float> sum, byte* target, Vector256<float> column, nint row) => sum * Vector256.Create(*(float*)At(row));

    [MethodImpl(Inline)]
    public Vector512<float> Of(Vector512<float> sum, byte* target, Vector512<float> column, nint row) => sum * Vector512.Create(*(float*)At(row));

    [MethodImpl(Inline)]
    private byte* At(nint row) => (byte*)factors + (row * step);
}

/// <summary>Scores in bits become P = 2^(S − lse); columns are the log-sum-exps.</summary>
internal readonly unsafe struct PowerEnd : ITileEnd
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static bool HasColumns => true;

    [MethodImpl(Inline)]
    public float Of(float sum, byte* target, float column, nint row) => SoftmaxPower.Of(new Lane1(sum - column)).Value;

    [MethodImpl(Inline)]
    public double Of(double sum, byte* target, double column, nint row) => SoftmaxPower.Of(new LaneDouble(sum - column)).Value;

    [MethodImpl(Inline)]
    public Vector128<float> Of(Vector128<float> sum, byte* target, Vector128<float> column, nint row) => SoftmaxPower.Of(new Lane4(sum - column)).Value;

    [MethodImpl(Inline)]
    public Vector256<float> Of(Vector256<float> sum, byte* target, Vector256<float> column, nint row) => SoftmaxPower.Of(new Lane8(sum - column)).Value;

    [MethodImpl(Inline)]
    public Vector512<float> Of(Vector512<float> sum, byte* target, Vector512<float> column, nint row) => SoftmaxPower.Of(new Lane16(sum - column)).Value;
}

/// <summary>Gradients dP of P become those of scores, dS = P · (dP − δ); columns are δ.</summary>
/// <param name="weights">Bytes from the place of a gradient to that of its P.</param>
internal readonly unsafe struct SlopeEnd(nint weights) : ITileEnd
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static bool HasColumns => true;

    [MethodImpl(Inline)]
    public float Of(float sum, byte* target, float column, nint row) => *(float*)(target + weights) * (sum - column);

    [MethodImpl(Inline)]
    public double Of(double sum, byte* target, double column, nint row) => *(double*)(target + weights) * (sum - column);

    [MethodImpl(Inline)]
    public Vector128<float> Of(Vector128<float> sum, byte* target, Vector128<float> column, nint row) => Vector128.Load((float*)(target + weights)) * (sum - column);

    [MethodImpl(Inline)]
    public Vector256<float> Of(Vector256<float> sum, byte* target, Vector256<float> column, nint row) => Vector256.Load((float*)(target + weights)) * (sum - column);

    [MethodImpl(Inline)]
    public Vector512<float> Of(Vector512<float> sum, byte* target, Vector512<float> column, nint row) => Vector512.Load((float*)(target + weights)) * (sum - column);
}
