namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>Instructions on the 32 vectors of 512 bits.</summary>
internal static class VectorCode
{
    private const int None = 0;

    /// <summary>target = op(a, b).</summary>
    public static void Vector(this Assembler w, VectorInstruction op, int target, int a, int b)
    {
        Prefix(w, op, target, a, b, b >> 4);
        w.Bytes(op.Code, (byte)(0xc0 | (target & 7) << 3 | b & 7));
    }

    /// <summary>target = op(a, b) as a number says.</summary>
    public static void Vector(this Assembler w, VectorInstruction op, int target, int a, int b, byte number)
    {
        w.Vector(op, target, a, b);
        w.Bytes(number);
    }

    /// <summary>target = op(a, what is at <paramref name="place"/>).</summary>
    public static void Vector(this Assembler w, VectorInstruction op, int target, int a, Address place)
    {
        Prefix(w, op, target, a, (int)place.Base, (int)(place.Index ?? Register.Rax) >> 3);
        w.Bytes(op.Code);
        w.Operand(target, place, op.Bytes);
    }

    /// <summary>For instructions of one operand.</summary>
    public static void Vector(this Assembler w, VectorInstruction op, int target, Address place) => w.Vector(op, target, None, place);

    /// <summary>For instructions of one operand.</summary>
    public static void Vector(this Assembler w, VectorInstruction op, int target, int source) => w.Vector(op, target, None, source);

    /// <summary>Clears the upper parts of vectors 0 to 15, after which older instructions run at full speed.</summary>
    public static void ClearUpper(this Assembler w) => w.Bytes(0xc5, 0xf8, 0x77);

    // 62, then bits of registers upside down: target is R' and R, a is V' and vvvv, b is X and B or an index and a base.
    private static void Prefix(Assembler w, VectorInstruction op, int target, int a, int b, int bHigh)
        => w.Bytes(
            0x62,
            (byte)((~target >> 3 & 1) << 7 | (~bHigh & 1) << 6 | (~b >> 3 & 1) << 5 | (~target >> 4 & 1) << 4 | op.Map),
            (byte)((op.IsWide ? 0x80 : 0) | (~a & 15) << 3 | 4 | op.Prefix),
            (byte)(0x40 | (~a >> 4 & 1) << 3));
}
