namespace NanoFold.Kernels.Profiling;

/// <summary>Name and FLOPs per element of elementwise formulas, worked out once each.</summary>
internal static class Formula
{
    /// <summary>FLOPs of one exponential.</summary>
    public static int ExpFlops { get; } = CountingLane.Count(static () => CountingLane.Exp(default));

    public static class Unary<TOp>
        where TOp : struct, IUnaryOp
    {
        public static readonly string Name = KernelName.Of(typeof(TOp));
        public static readonly int Flops = CountingLane.Count(static () => default(TOp).Invoke<CountingLane>(default));
    }

    public static class Binary<TOp>
        where TOp : struct, IBinaryOp
    {
        public static readonly string Name = KernelName.Of(typeof(TOp));
        public static readonly int Flops = CountingLane.Count(static () => default(TOp).Invoke<CountingLane>(default, default));
    }

    public static class Ternary<TOp>
        where TOp : struct, ITernaryOp
    {
        public static readonly string Name = KernelName.Of(typeof(TOp));
        public static readonly int Flops = CountingLane.Count(static () => default(TOp).Invoke<CountingLane>(default, default, default));
    }

    public static class Update<TFormula>
        where TFormula : struct, IUpdateFormula
    {
        public static readonly string Name = KernelName.Of(typeof(TFormula));

        // With the scale of gradients.
        public static readonly int Flops = 1 + CountingLane.Count(static () => default(TFormula).Invoke<CountingLane>(default, default));
    }

    public static class Pair<TOp>
        where TOp : struct, IPairOp
    {
        public static readonly string Name = KernelName.Of(typeof(TOp));
        public static readonly int Flops = CountingLane.Count(static () => default(TOp).Invoke<CountingLane>(default, default, default, out _));
    }
}
