using System.Text.Json.Serialization;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>What training computes in. Parameters, their gradients and what the optimizer remembers are in single precision with each of them.</summary>
public enum PrecisionKind
{
    /// <summary>Single precision throughout.</summary>
    [JsonStringEnumMemberName("fp32")]
    Float32,

    /// <summary>Single precision in memory; matrix products may round their operands to 10 bits of mantissa.</summary>
    [JsonStringEnumMemberName("tf32")]
    TensorFloat32,

    /// <summary>Activations and their gradients in bfloat16; on the CPU in single precision, and products, those of Muon too, round their operands to bfloat16.</summary>
    [JsonStringEnumMemberName("bf16")]
    BFloat16,

    /// <summary>Activations and their gradients in half precision, with dynamic loss scaling.</summary>
    [JsonStringEnumMemberName("fp16")]
    Float16,
}

public static class PrecisionKindExtensions
{
    /// <summary>The type of activations where a device has it.</summary>
    public static DType Activations(this PrecisionKind precision) => precision switch
    {
        PrecisionKind.BFloat16 => DType.BFloat16,
        PrecisionKind.Float16 => DType.Float16,
        _ => DType.Float32,
    };

    /// <summary>
    /// What recordings compute in on a device: products in Float32 may round to tf32 with each but <see cref="PrecisionKind.Float32"/>, and to bfloat16 where the device has no such type but
    /// rounds operands to it.
    /// </summary>
    public static Arithmetic Arithmetic(this PrecisionKind precision, Backend backend)
    {
        DType type = precision.Activations();
        return precision == PrecisionKind.BFloat16 && !backend.Supports(type) && backend.RoundsToBFloat16
            ? new Arithmetic(DType.Float32, OperandRounding.BFloat16)
            : new Arithmetic(type, precision == PrecisionKind.Float32 ? OperandRounding.None : OperandRounding.TensorFloat32);
    }

    /// <summary>Whether the loss is scaled so that small gradients do not vanish, see <see cref="LossScaling"/>.</summary>
    public static bool ScalesLoss(this PrecisionKind precision) => precision == PrecisionKind.Float16;

    /// <summary>The name in a configuration.</summary>
    public static string Name(this PrecisionKind precision) => precision switch
    {
        PrecisionKind.TensorFloat32 => "tf32",
        PrecisionKind.BFloat16 => "bf16",
        PrecisionKind.Float16 => "fp16",
        _ => "fp32",
    };
}
