namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// What the variable NANOFOLD_ATTENTION_BACKWARD says of flash attention's backward pass: <c>one</c> kernel for all gradients, or <c>two</c>, by warps on every device. Without it these are two until a
/// card has measured both, and by warpgroups one. Either gives the same bits from run to run; between them sums add in another order.
/// </summary>
public static class BackwardKernels
{
    public const string Variable = "NANOFOLD_ATTENTION_BACKWARD";

    /// <summary>Whether one kernel by warps computes all gradients, or two, in calls that are recorded from now on: as the variable says, or as it was set since, to measure both; null: nobody has said.</summary>
    public static bool? IsOne { get; set; } = ValueOf(Environment.GetEnvironmentVariable(Variable));

    /// <summary>What is wrong with the variable, in a line; null where nothing is.</summary>
    public static string? Fault => FaultOf(Environment.GetEnvironmentVariable(Variable));

    internal static string? FaultOf(string? value) => value is null or "" || ValueOf(value) is not null ? null : $"{Variable}={value}: expected one or two (kernels of attention's backward pass on CUDA), or leave it unset";

    internal static bool? ValueOf(string? value) => value switch { "one" => true, "two" => false, _ => null };
}
