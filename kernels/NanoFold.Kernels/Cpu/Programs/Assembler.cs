using System.Buffers.Binary;
using System.Numerics;

namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>
/// Writes the machine code of x64: the few instructions that programs of the CPU need, for .NET has no intrinsics for their units. Integers are of 64 bits, and jumps are
/// encoded with 32. The vector and tile instructions are extensions (<see cref="VectorCode"/>, <see cref="TileCode"/>).
/// </summary>
internal sealed class Assembler
{
    private readonly List<byte> _bytes = [];
    private readonly List<int> _labels = [];
    private readonly List<(int Place, int Label)> _jumps = [];

    /// <summary>A place to jump to, which <see cref="Mark"/> sets.</summary>
    public int Label()
    {
        _labels.Add(-1);
        return _labels.Count - 1;
    }

    /// <summary>The next instruction is what <paramref name="label"/> names.</summary>
    public void Mark(int label) => _labels[label] = _bytes.Count;

    /// <summary>The program.</summary>
    /// <exception cref="InvalidOperationException">A jump has no target.</exception>
    public byte[] ToBytes()
    {
        byte[] bytes = [.. _bytes];
        foreach ((int place, int label) in _jumps)
        {
            if (_labels[label] < 0)
            {
                throw new InvalidOperationException($"assembler: label {label} is jumped to and not marked");
            }

            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(place), _labels[label] - place - sizeof(int));
        }

        return bytes;
    }

    public void Move(Register target, Register source) => Registers(0x89, source, target);

    public void Move(Register target, Address source) => Memory(0x8b, target, source);

    public void Move(Address target, Register source) => Memory(0x89, source, target);

    public void Move(Register target, int value)
    {
        Rex(0, 0, (int)target);
        Bytes(0xc7, (byte)(0xc0 | ((int)target & 7)));
        Int32(value);
    }

    public void Add(Register target, Register source) => Registers(0x01, source, target);

    public void Add(Register target, int value) => Immediate(0, target, value);

    public void Subtract(Register target, int value) => Immediate(5, target, value);

    public void Or(Register target, Register source) => Registers(0x09, source, target);

    /// <summary>Sets the flags by a − value.</summary>
    public void Compare(Register a, int value) => Immediate(7, a, value);

    public void ShiftLeft(Register target, int bits)
    {
        Rex(0, 0, (int)target);
        Bytes(0xc1, (byte)(0xe0 | ((int)target & 7)), (byte)bits);
    }

    public void Jump(Condition condition, int label)
    {
        Bytes(0x0f, (byte)(0x80 | (int)condition));
        Target(label);
    }

    public void Jump(int label)
    {
        Bytes(0xe9);
        Target(label);
    }

    /// <summary>Asks for the line of <paramref name="place"/> in all caches.</summary>
    public void Prefetch(Address place)
    {
        if (place.Base >= Register.R8 || place.Index >= Register.R8)
        {
            Bytes((byte)(0x40 | (place.Index >= Register.R8 ? 2 : 0) | (place.Base >= Register.R8 ? 1 : 0)));
        }

        Bytes(0x0f, 0x18);
        Operand(1, place);
    }

    /// <summary>Which states of registers the system keeps, of the register that rcx numbers, into edx and eax.</summary>
    public void GetExtendedControl() => Bytes(0x0f, 0x01, 0xd0);

    public void Return() => Bytes(0xc3);

    internal void Bytes(params ReadOnlySpan<byte> bytes) => _bytes.AddRange(bytes);

    /// <summary>What an instruction says of a place in memory and of a register or number beside it.</summary>
    /// <param name="field">Three bits.</param>
    /// <param name="place">The place.</param>
    /// <param name="unit">Short offsets are multiples of so many bytes: 1, but where an EVEX prefix says otherwise.</param>
    /// <param name="withIndex">The form with an index, though there is none.</param>
    internal void Operand(int field, Address place, int unit = 1, bool withIndex = false)
    {
        int @base = (int)place.Base & 7;
        bool isShort = place.Offset % unit == 0 && place.Offset / unit is >= sbyte.MinValue and <= sbyte.MaxValue;
        // The form without an offset means something else with rbp and r13.
        int mode = place.Offset == 0 && @base != (int)Register.Rbp ? 0 : isShort ? 0x40 : 0x80;
        if (place.Index is not null || withIndex || @base == (int)Register.Rsp)
        {
            int index = place.Index is { } register ? (int)register : (int)Register.Rsp;
            Bytes((byte)(mode | (field & 7) << 3 | 4), (byte)(BitOperations.Log2((uint)place.Scale) << 6 | (index & 7) << 3 | @base));
        }
        else
        {
            Bytes((byte)(mode | (field & 7) << 3 | @base));
        }

        if (mode == 0x40)
        {
            Bytes((byte)(place.Offset / unit));
        }
        else if (mode == 0x80)
        {
            Int32(place.Offset);
        }
    }

    private void Registers(byte code, Register field, Register target)
    {
        Rex((int)field, 0, (int)target);
        Bytes(code, (byte)(0xc0 | ((int)field & 7) << 3 | ((int)target & 7)));
    }

    private void Memory(byte code, Register field, Address place)
    {
        Rex((int)field, (int)(place.Index ?? 0), (int)place.Base);
        Bytes(code);
        Operand((int)field, place);
    }

    private void Immediate(int field, Register target, int value)
    {
        Rex(0, 0, (int)target);
        bool isShort = value is >= sbyte.MinValue and <= sbyte.MaxValue;
        Bytes((byte)(isShort ? 0x83 : 0x81), (byte)(0xc0 | field << 3 | ((int)target & 7)));
        if (isShort)
        {
            Bytes((byte)value);
        }
        else
        {
            Int32(value);
        }
    }

    // 64 bits, and the fourth bits of three registers.
    private void Rex(int field, int index, int @base) => Bytes((byte)(0x48 | field >> 3 << 2 | index >> 3 << 1 | @base >> 3));

    private void Target(int label)
    {
        _jumps.Add((_bytes.Count, label));
        Int32(0);
    }

    private void Int32(int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        Bytes(bytes);
    }
}
