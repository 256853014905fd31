using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Tests.Cpu.Programs;

/// <summary>Each instruction that this machine has, run on it and by the interpreter: the same bits.</summary>
public sealed unsafe class InstructionTests
{
    private const int Lanes = 16;

    private static readonly (string Name, VectorInstruction Op)[] s_vectors =
    [
        ("xor", VectorInstruction.Xor), ("multiply", VectorInstruction.Multiply), ("multiply-add", VectorInstruction.MultiplyAdd),
        ("dot of pairs", VectorInstruction.DotPairs), ("round pairs", VectorInstruction.RoundPairs), ("permute halves", VectorInstruction.PermuteHalves),
        ("unpack low", VectorInstruction.UnpackLow), ("unpack high", VectorInstruction.UnpackHigh),
    ];

    private static IEnumerable<string> Names => s_vectors.Select(v => v.Name);

    [TestCaseSource(nameof(Names))]
    public void VectorsAreAsTheManualSays(string name)
    {
        VectorInstruction op = s_vectors.Single(v => v.Name == name).Op;
        Require(op);
        foreach (bool special in new[] { false, true })
        {
            // Two vectors in, the sum before in the third; registers below and above 16.
            AssertSame(special, w =>
            {
                w.Vector(VectorInstruction.Load, 17, Register.Rcx);
                w.Vector(VectorInstruction.Load, 2, new Address(Register.Rcx, 64));
                w.Vector(VectorInstruction.Load, 30, new Address(Register.Rcx, 128));
                w.Vector(VectorInstruction.Load, 9, new Address(Register.Rcx, 128));
                w.Vector(op, 30, 17, 2);
                w.Vector(op, 9, 17, new Address(Register.Rcx, 68));
                w.Vector(VectorInstruction.Store, 30, new Address(Register.Rcx, 192));
                w.Vector(VectorInstruction.Store, 9, new Address(Register.Rcx, 256));
                w.Vector(op, 9, 2, new Address(Register.Rcx, 64));
                w.Vector(VectorInstruction.Store, 9, new Address(Register.Rcx, 320));
                w.ClearUpper();
                w.Return();
            });
        }
    }

    [Test]
    public void ABroadcastIsAsTheManualSays()
    {
        Require(VectorInstruction.Broadcast);
        AssertSame(special: true, w =>
        {
            w.Vector(VectorInstruction.Load, 20, new Address(Register.Rcx, 64));
            w.Vector(VectorInstruction.Broadcast, 4, new Address(Register.Rcx, 12));
            w.Vector(VectorInstruction.Broadcast, 22, 20);
            w.Vector(VectorInstruction.Store, 4, new Address(Register.Rcx, 256));
            w.Vector(VectorInstruction.Store, 22, new Address(Register.Rcx, 320));
            w.Return();
        });
    }

    [Test]
    public void ShufflesAreAsTheManualSays([Values(0x44, 0xee, 0x88, 0xdd, 0x1b)] byte number)
    {
        Require(VectorInstruction.Shuffle);
        AssertSame(special: true, w =>
        {
            w.Vector(VectorInstruction.Load, 17, Register.Rcx);
            w.Vector(VectorInstruction.Load, 2, new Address(Register.Rcx, 64));
            w.Vector(VectorInstruction.Shuffle, 30, 17, 2, number);
            w.Vector(VectorInstruction.ShuffleQuarters, 9, 2, 17, number);
            w.Vector(VectorInstruction.Store, 30, new Address(Register.Rcx, 192));
            w.Vector(VectorInstruction.Store, 9, new Address(Register.Rcx, 256));
            w.ClearUpper();
            w.Return();
        });
    }

    [Test]
    public void IntegersAndJumpsAreAsTheManualSays()
    {
        RequireX64();
        for (int start = -3; start <= 3; start++)
        {
            ulong expected = 0;
            AssertSame(special: false, w => Count(w, start), value => expected = value);
            // 16 for each step from start to 4, 1000 more where that is negative, 2 three times, and the last bit.
            Assert.That(expected, Is.EqualTo((ulong)((4 - start) * 16 + (start < 0 ? 1000 : 0) + 6 | 1)));
        }
    }

    [Test]
    public void TheStatesThatTheSystemKeepsAreRead()
    {
        RequireX64();
        MachineProgram? program = MachineProgram.Place(CpuFeatures.ReadExtendedControl, out string? reason);
        Assert.That(program, Is.Not.Null, reason);
        // x87 and vectors of 128 bits are always kept.
        Assert.That(program!.Run(null) & 3, Is.EqualTo(3));
    }

    [TestCase(28, "stack for signals is too small")]
    [TestCase(22, "knows no tiles")]
    [TestCase(1, "does not permit")]
    [TestCase(5, "refuses tiles (")]
    public void ARefusalOfTilesSaysWhy(int error, string expected) => Assert.That(TilePermission.Reason(error), Does.Contain(expected));

    private static void Count(Assembler w, int start)
    {
        int positive = w.Label(), again = w.Label(), down = w.Label(), end = w.Label();
        w.Move(Register.Rdx, start);
        w.Move(Register.R8, Register.Rcx);
        w.Prefetch(Register.R8);
        w.Move(Register.Rax, 0);
        w.Compare(Register.Rdx, 0);
        w.Jump(Condition.NotLess, positive);
        w.Add(Register.Rax, 1000);
        w.Mark(positive);
        w.Mark(again);
        w.Add(Register.Rax, 16);
        w.Add(Register.Rdx, 1);
        w.Compare(Register.Rdx, 4);
        w.Jump(Condition.Less, again);
        w.Move(Register.R9, 3);
        w.Mark(down);
        w.Add(Register.Rax, 2);
        w.Subtract(Register.R9, 1);
        w.Jump(Condition.Zero, end);
        w.Jump(down);
        w.Mark(end);
        w.Move(Register.R11, 1);
        w.Or(Register.Rax, Register.R11);
        w.Return();
    }

    private static void AssertSame(bool special, Action<Assembler> write, Action<ulong>? result = null)
    {
        uint[] memory = Values(special), other = [.. memory];
        MachineProgram? program = MachineProgram.Place(write, out string? reason);
        Assert.That(program, Is.Not.Null, reason);
        fixed (uint* ours = memory, theirs = other)
        {
            ulong expected = program!.Run(ours), interpreted = new Interpreter(MachineProgram.Code(write)).Run(theirs);
            if (result is not null)
            {
                Assert.That(interpreted, Is.EqualTo(expected));
                result(expected);
            }
        }

        Assert.That(other, Is.EqualTo(memory));
    }

    private static uint[] Values(bool special)
    {
        var random = new Random(5);
        uint[] values = [.. Enumerable.Range(0, 6 * Lanes).Select(_ => BitConverter.SingleToUInt32Bits((float)(random.NextDouble() * 4 - 2)))];
        if (special)
        {
            // Subnormal floats, as pairs too; infinities and halves between two roundings.
            uint[] odd = [0x00000001, 0x807fffff, 0x00400040, 0x3f808000, 0x3f818000, 0x3f80ffff, 0x00800000, 0x7f7fffff, 0x80000000, 0x01000100, 0x00808080];
            for (int i = 0; i < 3 * Lanes; i += 2)
            {
                values[i] = odd[i / 2 % odd.Length];
            }
        }

        return values;
    }

    private static void Require(VectorInstruction op)
    {
        RequireX64();
        bool has = op == VectorInstruction.DotPairs || op == VectorInstruction.RoundPairs ? CpuFeatures.HasPairs : System.Runtime.Intrinsics.X86.Avx512DQ.IsSupported;
        if (!has)
        {
            Assert.Ignore("this machine has no such instruction");
        }
    }

    private static void RequireX64()
    {
        if (!MachineProgram.IsX64)
        {
            Assert.Ignore("programs are for x64");
        }
    }
}
