using System.Globalization;

namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>Register files of PTX that kernels here use.</summary>
internal enum RegKind
{
    Predicate,
    B16,
    B32,
    F32,
    B64,
}

/// <summary>A virtual register; its name is its text, so that it can stand in an interpolated instruction.</summary>
internal readonly record struct Reg(RegKind Kind, int Number)
{
    public static string Prefix(RegKind kind) => kind switch
    {
        RegKind.Predicate => "%p",
        RegKind.B16 => "%h",
        RegKind.B32 => "%r",
        RegKind.F32 => "%f",
        _ => "%d",
    };

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Prefix(Kind)}{Number}");
}

/// <summary>A register or a number in an instruction.</summary>
internal readonly struct Operand
{
    private readonly Reg _reg;
    private readonly string? _text;

    private Operand(Reg reg, string? text)
    {
        _reg = reg;
        _text = text;
    }

    public static implicit operator Operand(Reg reg) => new(reg, null);

    public static implicit operator Operand(int value) => new(default, value.ToString(CultureInfo.InvariantCulture));

    public static implicit operator Operand(uint value) => new(default, value.ToString(CultureInfo.InvariantCulture));

    /// <summary>Bits of a float as PTX writes them.</summary>
    public static implicit operator Operand(float value) => new(default, $"0f{BitConverter.SingleToUInt32Bits(value):X8}");

    /// <summary>Null for a number.</summary>
    public Reg? Register => _text is null ? _reg : null;

    public override string ToString() => _text ?? _reg.ToString();
}

/// <summary>Types of elements in a device's memory.</summary>
internal enum GpuType
{
    Float32,
    BFloat16,
    Float16,
}

internal static class GpuTypes
{
    /// <summary>Bytes of an element.</summary>
    public static int Size(this GpuType type) => type == GpuType.Float32 ? 4 : 2;
}
