using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.MatMul.Rounded;
using NanoFold.Kernels.Cpu.Programs;
using NanoFold.Kernels.Memory;
using NanoFold.Tests.Cpu.Programs;
using Lines = NanoFold.Kernels.Cpu.MatMul.Lines;

namespace NanoFold.Tests.Cpu.MatMul.Rounded;

/// <summary>Lines that are packed by programs, on the machine and by the interpreter: as C# packs them.</summary>
[Parallelizable]
public sealed unsafe class PackProgramTests
{
    private const int Side = PairBlock.Side, Blocks = 3, Depth = Blocks * 2 * Side, Padding = 5;

    [Test]
    public void ProgramsPackAsCSharpDoes([Values] bool across, [Values("Strip", "Panels", "Tile")] string name, [Values] bool interpreted)
    {
        PackedForm form = Enum.Parse<PackedForm>(name);
        if (!Avx512BW.IsSupported || (!interpreted && !CpuFeatures.HasPairs))
        {
            Assert.Ignore("this machine has no such instructions");
        }

        using var source = new NativeBuffer((Side + Padding) * (Depth + Padding) * sizeof(float));
        Fill(source.Span<float>());
        Lines lines = across ? new(Address(source), sizeof(float), (Side + Padding) * sizeof(float), Side, Depth) : new(Address(source), (Depth + Padding) * sizeof(float), sizeof(float), Side, Depth);
        // A panel, or the other half of a strip or tile, lies between.
        int next = form == PackedForm.Panels ? (Blocks * Side * Side / 2 + Padding) * sizeof(uint) : form == PackedForm.Tile ? Side * Side * sizeof(uint) : 0;
        using var expected = new NativeBuffer(4 * Blocks * Side * Side * sizeof(uint));
        using var found = new NativeBuffer(4 * Blocks * Side * Side * sizeof(uint));
        Pack(lines, form, next / sizeof(uint), (uint*)Address(expected));
        Run(lines, across, form, next, Address(found), interpreted);
        Assert.That(found.Span<uint>().ToArray(), Is.EqualTo(expected.Span<uint>().ToArray()));
    }

    [Test]
    public void WhatIsBelowTheLeastNormalNumberIsZero()
    {
        if (!CpuFeatures.HasPairs)
        {
            Assert.Ignore("this machine has no such instructions");
        }

        using var source = new NativeBuffer(Side * 2 * Side * sizeof(float));
        using var found = new NativeBuffer(Side * Side * sizeof(uint));
        source.Span<float>().Fill(1e-40f);
        Run(new Lines(Address(source), 2 * Side * sizeof(float), sizeof(float), Side, 2 * Side), false, PackedForm.Tile, 0, Address(found), interpreted: false);
        Assert.That(found.Span<uint>().ToArray(), Is.All.Zero);
    }

    private static void Run(in Lines lines, bool across, PackedForm form, int next, byte* target, bool interpreted)
    {
        ushort* turns = stackalloc ushort[2 * Side];
        PackProgram.Turns.ToArray().CopyTo(new Span<ushort>(turns, 2 * Side));
        var arguments = new PackArguments
        {
            Source = lines.Source, Stride = across ? lines.StepStride : lines.LineStride, Blocks = lines.Depth / (2 * Side), Target = target, Next = next, Turns = turns,
        };
        if (interpreted)
        {
            new Interpreter(MachineProgram.Code(w => PackProgram.Write(w, across, form))).Run(&arguments);
            return;
        }

        MachineProgram? program = MachineProgram.Place(w => PackProgram.Write(w, across, form), out string? reason);
        Assert.That(program, Is.Not.Null, reason);
        program!.Run(&arguments);
    }

    private static void Pack(in Lines lines, PackedForm form, int next, uint* target)
    {
        Vector512<uint>* rows = stackalloc Vector512<uint>[Side];
        for (int block = 0; block < Blocks; block++)
        {
            PairBlock.Fill(lines, 0, block * Side, rowsAreLines: form == PackedForm.Tile, rows);
            for (int i = 0; i < Side * Side; i++)
            {
                int row = block * Side + i / Side, column = i % Side;
                int place = form switch
                {
                    PackedForm.Strip => row * 2 * Side + column,
                    PackedForm.Panels => row * (Side / 2) + column % (Side / 2) + column / (Side / 2) * next,
                    _ => row * Side + column + block * next,
                };
                target[place] = rows[i / Side][column];
            }
        }
    }

    // Numbers, halves between two roundings, and what is none.
    private static void Fill(Span<float> values)
    {
        var random = new Random(9);
        uint[] odd = [0x3f808000, 0x3f818000, 0x3f80ffff, 0x00800000, 0x7f7fffff, 0x80000000, 0x7f800000, 0xff800000, 0x7f800001, 0xffffffff];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = i % 7 == 3 ? BitConverter.UInt32BitsToSingle(odd[i / 7 % odd.Length]) : (float)(random.NextDouble() * 4 - 2);
        }
    }

    private static byte* Address(NativeBuffer buffer)
    {
        fixed (byte* address = buffer.Span<byte>())
        {
            return address;
        }
    }
}
