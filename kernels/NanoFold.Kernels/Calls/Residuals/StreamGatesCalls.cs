using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Residuals;

/// <summary>
/// The coefficients of hyper-connections, of n streams and N tokens: with z = y · rsqrt(mean(x²) + ε), y being x's product with a matrix, and its parts
/// (n of pre, n of post, n·n of res): pre = σ(α₀ z + b), post = 2 σ(α₁ z + b), res = α₂ z + b, which <paramref name="Rounds"/> rounds of dividing rows, then
/// columns, by their sums make doubly stochastic after exp (Sinkhorn); no round: res stays as it is. All contiguous.
/// </summary>
/// <param name="X">The streams, [N, n, C].</param>
/// <param name="Y">[N, 2n + n²].</param>
/// <param name="Alpha">[3].</param>
/// <param name="Bias">[2n + n²].</param>
/// <param name="Pre">Gets [N, n], in the type of sums of x, as the rest.</param>
/// <param name="Post">Gets [N, n].</param>
/// <param name="Res">Gets [N, n, n].</param>
/// <param name="Statistics">Gets each token's rsqrt, [N].</param>
/// <param name="Epsilon">ε.</param>
/// <param name="Rounds">Rounds of rows, then columns.</param>
public readonly record struct StreamGatesCall(View X, View Y, View Alpha, View Bias, View Pre, View Post, View Res, View Statistics, double Epsilon, int Rounds)
    : IKernelCall<StreamGatesCall>
{
    /// <summary>Streams at most.</summary>
    public const int MostStreams = 16;

    public static string Name => "stream-gates";

    public KernelCost Cost => new(
        2.0 * X.Count + StreamGatesChecks.FlopsPerToken(X.Layout[1], Rounds) * X.Layout[0], Operands.Bytes(this));

    public void Check()
    {
        StreamGatesChecks.Inputs(Name, X, Y, Alpha, Bias, Statistics, Rounds);
        StreamGatesChecks.Coefficients(Name, "pre", Pre, X, X.Layout[1]);
        StreamGatesChecks.Coefficients(Name, "post", Post, X, X.Layout[1]);
        StreamGatesChecks.Coefficients(Name, "res", Res, X, X.Layout[1] * X.Layout[1]);
    }

    public StreamGatesCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("x", X, Access.Read), visitor.Visit("y", Y, Access.Read), visitor.Visit("alpha", Alpha, Access.Read), visitor.Visit("bias", Bias, Access.Read),
            visitor.Visit("pre", Pre, Access.Write), visitor.Visit("post", Post, Access.Write), visitor.Visit("res", Res, Access.Write),
            visitor.Visit("statistics", Statistics, Access.Write), Epsilon, Rounds);
}

/// <summary>The gradient of <see cref="StreamGatesCall"/>. Sums over tokens are the caller's: it gets what to sum.</summary>
/// <param name="X">As there.</param>
/// <param name="Y">As there.</param>
/// <param name="Alpha">As there.</param>
/// <param name="Bias">As there.</param>
/// <param name="Statistics">As the forward call left them.</param>
/// <param name="DPre">[N, n], none for 0; so are the next two.</param>
/// <param name="DPost">[N, n].</param>
/// <param name="DRes">[N, n, n].</param>
/// <param name="DX">As x, or none.</param>
/// <param name="AccumulateX">Whether dx is added to.</param>
/// <param name="DY">As y, or none.</param>
/// <param name="AccumulateY">Whether dy is added to.</param>
/// <param name="DLogits">Gets what b's gradient is the sum of, and after it what α's is, [N, 2n + n² + 3], in the type of sums.</param>
/// <param name="Rounds">As there.</param>
public readonly record struct StreamGatesBackwardCall(
    View X, View Y, View Alpha, View Bias, View Statistics, View DPre, View DPost, View DRes, View DX, bool AccumulateX, View DY, bool AccumulateY, View DLogits, int Rounds)
    : IKernelCall<StreamGatesBackwardCall>
{
    public static string Name => "stream-gates-backward";

    public KernelCost Cost => new(
        (DX.IsNone ? 0 : 1.0 * X.Count) + 3 * StreamGatesChecks.FlopsPerToken(X.Layout[1], Rounds) * X.Layout[0], Operands.Bytes(this));

    public void Check()
    {
        StreamGatesChecks.Inputs(Name, X, Y, Alpha, Bias, Statistics, Rounds);
        int streams = X.Layout[1];
        OptionalCoefficients("dPre", DPre, streams);
        OptionalCoefficients("dPost", DPost, streams);
        OptionalCoefficients("dRes", DRes, streams * streams);
        StreamGatesChecks.Coefficients(Name, "dLogits", DLogits, X, streams * (streams + 2) + 3);
        Gradient("dx", DX, X);
        Gradient("dy", DY, Y);
    }

    public StreamGatesBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("x", X, Access.Read), visitor.Visit("y", Y, Access.Read), visitor.Visit("alpha", Alpha, Access.Read), visitor.Visit("bias", Bias, Access.Read),
            visitor.Visit("statistics", Statistics, Access.Read), visitor.Visit("dPre", DPre, Access.Read), visitor.Visit("dPost", DPost, Access.Read),
            visitor.Visit("dRes", DRes, Access.Read), visitor.Visit("dx", DX, Operands.Result(AccumulateX)), AccumulateX,
            visitor.Visit("dy", DY, Operands.Result(AccumulateY)), AccumulateY, visitor.Visit("dLogits", DLogits, Access.Write), Rounds);

    private void OptionalCoefficients(string name, in View view, int perToken)
    {
        if (!view.IsNone)
        {
            StreamGatesChecks.Coefficients(Name, name, view, X, perToken);
        }
    }

    private static void Gradient(string name, in View gradient, in View value)
    {
        if (!gradient.IsNone)
        {
            RowCheck.Vector(Name, name, gradient, value.Type, value.Count);
            Checks.Writable(Name, name, gradient);
        }
    }
}

internal static class StreamGatesChecks
{
    /// <summary>Two sigmoids a stream, an exponential and the two sums and factors of each round an element of res.</summary>
    public static double FlopsPerToken(int streams, int rounds)
        => (2.0 * streams * (Formula.ExpFlops + 6)) + ((double)streams * streams * (3 + (rounds > 0 ? Formula.ExpFlops + 3 + (4.0 * rounds) : 0)));

    public static void Inputs(string op, in View x, in View y, in View alpha, in View bias, in View statistics, int rounds)
    {
        MixStreamsChecks.Streams(op, "x", x);
        int streams = x.Layout[1], values = streams * (streams + 2);
        if (streams > StreamGatesCall.MostStreams || rounds < 0)
        {
            Checks.Throw(op, $"{streams} streams and {rounds} rounds, expected at most {StreamGatesCall.MostStreams} and at least 0");
        }

        RowCheck.Vector(op, "y", y, x.Type, (long)x.Layout[0] * values);
        RowCheck.Vector(op, "alpha", alpha, x.Type, 3);
        RowCheck.Vector(op, "bias", bias, x.Type, values);
        RowCheck.Vector(op, "statistics", statistics, x.Type.Sum(), x.Layout[0]);
    }

    public static void Coefficients(string op, string name, in View view, in View x, int perToken)
        => RowCheck.Vector(op, name, view, x.Type.Sum(), (long)x.Layout[0] * perToken);
}
