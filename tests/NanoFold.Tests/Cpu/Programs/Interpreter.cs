using System.Runtime.CompilerServices;

namespace NanoFold.Tests.Cpu.Programs;

/// <summary>
/// Runs the bytes of a program as the manuals say, without the units that it is for: the instructions of the assembler and no others. It reads and writes the memory of the test.
/// What it decodes it decodes by itself, not with the assembler's tables.
/// </summary>
internal sealed unsafe class Interpreter
{
    private const int MostInstructions = 1 << 24;

    private readonly byte[] _code;
    private int _place;
    private long _difference;
    private bool _isLess;

    public Interpreter(byte[] code) => _code = code;

    /// <summary>Registers of 64 bits; 4 is rsp.</summary>
    public ulong[] Registers { get; } = new ulong[16];

    public InterpretedVectors Vectors { get; } = new();

    public InterpretedTiles Tiles { get; } = new();

    /// <summary>What has been run, by its name.</summary>
    public HashSet<string> Seen { get; } = [];

    /// <summary>Runs to the return; gives rax.</summary>
    public ulong Run(void* argument)
    {
        (Registers[1], Registers[7]) = ((ulong)argument, (ulong)argument);
        _place = 0;
        for (int i = 0; i < MostInstructions; i++)
        {
            if (!Step())
            {
                return Registers[0];
            }
        }

        throw new InvalidOperationException("the program does not end");
    }

    private bool Step()
    {
        byte code = Next();
        switch (code)
        {
            case 0x62:
                Evex();
                return true;
            case 0xc4:
                Vex();
                return true;
            case 0xc5:
                Expect(0xf8, 0x77);
                Seen.Add("vzeroupper");
                Vectors.ClearUpper();
                return true;
            case 0xc3:
                Seen.Add("ret");
                return false;
            case 0xe9:
                Seen.Add("jmp");
                int target = Int32();
                _place += target;
                return true;
            default:
                Integer(code);
                return true;
        }
    }

    private void Integer(byte code)
    {
        int rex = 0;
        if ((code & 0xf0) == 0x40)
        {
            rex = code;
            code = Next();
        }

        if (code == 0x0f)
        {
            TwoBytes(Next(), rex);
            return;
        }

        Assert.That(rex & 8, Is.EqualTo(8), "integers are of 64 bits");
        ModRm modRm = Read(rex >> 2 & 1, rex >> 1 & 1, rex & 1, 1);
        ref ulong target = ref modRm.Memory is null ? ref Registers[modRm.Register] : ref Unsafe.AsRef<ulong>(modRm.Memory);
        ref ulong field = ref Registers[modRm.Field];
        switch (code)
        {
            case 0x89:
                target = field;
                Seen.Add("mov");
                break;
            case 0x8b:
                field = target;
                Seen.Add("mov");
                break;
            case 0xc7:
                target = (ulong)(long)Int32();
                Seen.Add("mov");
                break;
            case 0x01:
                target = Flagged(target + field);
                Seen.Add("add");
                break;
            case 0x09:
                target = Flagged(target | field);
                Seen.Add("or");
                break;
            case 0xc1:
                Assert.That(modRm.Field & 7, Is.EqualTo(4));
                target = Flagged(target << Next());
                Seen.Add("shl");
                break;
            case 0x81 or 0x83:
                Immediate(modRm.Field & 7, ref target, (ulong)(code == 0x83 ? (sbyte)Next() : (long)Int32()));
                break;
            default:
                throw new InvalidOperationException($"unknown code {code:x2}");
        }
    }

    private void TwoBytes(byte code, int rex)
    {
        switch (code)
        {
            case 0x18:
                Assert.That(Read(0, rex >> 1 & 1, rex & 1, 1).Field, Is.EqualTo(1));
                Seen.Add("prefetcht0");
                break;
            case 0x01:
                Expect(0xd0);
                Seen.Add("xgetbv");
                (Registers[0], Registers[2]) = (0xe7, 3 << 1);
                break;
            default:
                Assert.That(code & 0xf0, Is.EqualTo(0x80));
                int distance = Int32();
                bool taken = (code & 15) switch
                {
                    4 => _difference == 0,
                    5 => _difference != 0,
                    12 => _isLess,
                    13 => !_isLess,
                    _ => throw new InvalidOperationException($"unknown condition {code:x2}"),
                };
                _place += taken ? distance : 0;
                Seen.Add("jcc");
                break;
        }
    }

    private void Immediate(int operation, ref ulong target, ulong value)
    {
        switch (operation)
        {
            case 0:
                target = Flagged(target + value);
                Seen.Add("add");
                break;
            case 5:
                target = Compared(target, value);
                Seen.Add("sub");
                break;
            case 7:
                Compared(target, value);
                Seen.Add("cmp");
                break;
            default:
                throw new InvalidOperationException($"unknown operation {operation}");
        }
    }

    private void Evex()
    {
        byte first = Next(), second = Next(), third = Next(), code = Next();
        int map = first & 3, prefix = second & 3;
        int wide = (map, prefix, code) == (2, 1, 0x8d) ? 0x80 : 0;
        Assert.That((first & 0x0c, second & 0x84, third & 0xf7), Is.EqualTo((0, 4 | wide, 0x40)), "W0 but for vpermw, 512 bits, no mask, no broadcast");
        int a = (~second >> 3 & 15) | (~third >> 3 & 1) << 4;
        int unit = (map, prefix, code) == (2, 1, 0x18) ? 4 : 64;
        ModRm modRm = Read(~first >> 7 & 1, ~first >> 6 & 1, ~first >> 5 & 1, unit);
        int target = modRm.Field | (~first >> 4 & 1) << 4;
        // A register's fifth bit is where a place's index has its fourth.
        int b = modRm.Register | (~first >> 6 & 1) << 4;
        byte number = map == 3 || code == 0xc6 ? Next() : (byte)0;
        Seen.Add(Vectors.Run(map, prefix, code, target, a, b, modRm.Memory, number));
    }

    private void Vex()
    {
        byte first = Next(), second = Next(), code = Next();
        Assert.That((first & 0x9f, second & 0x84), Is.EqualTo((0x82, 0)), "0F38, W0, 128 bits");
        int prefix = second & 3, b = ~second >> 3 & 15;
        if ((code, prefix, _code[_place]) == (0x49, 0, 0xc0))
        {
            _place++;
            Seen.Add(Tiles.Release());
            return;
        }

        ModRm modRm = Read(0, ~first >> 6 & 1, ~first >> 5 & 1, 1);
        // Of a tile the index is no part of the place.
        Seen.Add(Tiles.Run(prefix, code, modRm.Field, modRm.Register, b, modRm.Memory - modRm.Index, modRm.Index));
    }

    private ulong Flagged(ulong value)
    {
        _difference = (long)value;
        _isLess = _difference < 0;
        return value;
    }

    private ulong Compared(ulong a, ulong b)
    {
        _difference = (long)(a - b);
        _isLess = (long)a < (long)b;
        return a - b;
    }

    private ModRm Read(int fieldHigh, int indexHigh, int baseHigh, int unit)
    {
        byte modRm = Next();
        int mode = modRm >> 6, field = (modRm >> 3 & 7) | fieldHigh << 3, register = modRm & 7;
        if (mode == 3)
        {
            return new ModRm(field, register | baseHigh << 3, null, 0);
        }

        ulong index = 0;
        if (register == 4)
        {
            byte sib = Next();
            register = sib & 7;
            int number = (sib >> 3 & 7) | indexHigh << 3;
            index = (number == 4 ? 0 : Registers[number]) << (sib >> 6);
        }

        Assert.That((mode, register), Is.Not.EqualTo((0, 5)), "a place has a base");
        long offset = mode == 1 ? (sbyte)Next() * unit : mode == 2 ? Int32() : 0;
        return new ModRm(field, 0, (byte*)(Registers[register | baseHigh << 3] + index + (ulong)offset), index);
    }

    private byte Next() => _code[_place++];

    private int Int32()
    {
        _place += 4;
        return BitConverter.ToInt32(_code, _place - 4);
    }

    private void Expect(params ReadOnlySpan<byte> bytes)
    {
        foreach (byte expected in bytes)
        {
            Assert.That(Next(), Is.EqualTo(expected));
        }
    }

    private readonly struct ModRm(int field, int register, byte* memory, ulong index)
    {
        public int Field { get; } = field;

        public int Register { get; } = register;

        public byte* Memory { get; } = memory;

        /// <summary>Scaled: what a tile takes as the bytes from one row to the next.</summary>
        public ulong Index { get; } = index;
    }
}
