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
        _ => backend.Supports(precision.Activations()),
    };

    /// <exception cref="ConfigException">It cannot; nothing else is taken in its place.</exception>
    public static void Require(PrecisionKind precision, Backend backend)
    {
        if (!Can(precision, backend))
        {
            throw new ConfigException([new ConfigProblem(
                "train.precision", $"{precision.Name()} cannot be computed on {backend.Name}; use --precision fp32, or a GPU that can (--device cuda)")]);
        }
    }
}
