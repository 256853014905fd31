using NanoFold.Engine.Configuration;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>Whether a device can train in a precision: asked before anything is opened.</summary>
public static class PrecisionCheck
{
    /// <summary>Whether it can.</summary>
    public static bool Can(PrecisionKind precision, Backend backend) => precision switch
    {
        PrecisionKind.TensorFloat32 => backend.HasTensorFloat32,
        _ => backend.Supports(precision.Arithmetic(backend).Type),
    };

    /// <summary>Why it cannot, and what can; null where it can.</summary>
    public static string? WhyNot(PrecisionKind precision, Backend backend) => Can(precision, backend)
        ? null
        : $"{precision.Name()} cannot be computed on {backend.Name}; use --precision fp32{(backend.RoundsToBFloat16 ? " or bf16" : "")}, or a GPU that can (--device cuda)";

    /// <exception cref="ConfigException">It cannot; nothing else is taken in its place.</exception>
    public static void Require(PrecisionKind precision, Backend backend)
    {
        if (WhyNot(precision, backend) is { } reason)
        {
            throw new ConfigException([new ConfigProblem("train.precision", reason)]);
        }
    }

    /// <summary>Says in a line where a precision is computed without a unit for it.</summary>
    public static void Tell(PrecisionKind precision, Backend backend, Action<string>? note)
    {
        if (note is not null && precision.Arithmetic(backend).Rounding == OperandRounding.BFloat16 && backend.LacksBFloat16 is { } reason)
        {
            note($"bf16: operands of products are rounded and multiplied as floats, at no gain over fp32: {reason}");
        }
    }
}
