namespace NanoFold.Engine.Measurement;

/// <summary>One matrix product y [m, n] = op(a) · op(b) of inner length k.</summary>
/// <param name="Name">Where it comes from: <c>forward</c>, <c>dX</c>, <c>dW</c>, <c>cube</c>, <c>given</c>.</param>
public sealed record GemmCase(string Name, int M, int N, int K, bool TransposeA, bool TransposeB)
{
    public double Flops => 2.0 * M * N * K;
}
