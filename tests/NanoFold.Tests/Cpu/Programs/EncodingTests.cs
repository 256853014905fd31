using System.Diagnostics;
using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Tests.Cpu.Programs;

/// <summary>
/// Each instruction against the bytes that GNU as gives for its text. The bytes stand here; they came from binutils 2.40 (<c>as --64</c>, <c>objcopy -O binary --only-section=.text</c>),
/// and where an assembler is installed it is asked again.
/// </summary>
public class EncodingTests
{
    private static readonly Line[] s_lines =
    [
        new("movq %rsi, %rcx", "4889f1", w => w.Move(Register.Rcx, Register.Rsi)),
        new("movq %r9, %r11", "4d89cb", w => w.Move(Register.R11, Register.R9)),
        new("movq 8(%rcx), %rax", "488b4108", w => w.Move(Register.Rax, new Address(Register.Rcx, 8))),
        new("movq (%r13), %r8", "4d8b4500", w => w.Move(Register.R8, new Address(Register.R13))),
        new("movq (%rsp,%r9,4), %rdx", "4a8b148c", w => w.Move(Register.Rdx, new Address(Register.Rsp, 0, Register.R9, 4))),
        new("movq 1000(%r12), %r15", "4d8bbc24e8030000", w => w.Move(Register.R15, new Address(Register.R12, 1000))),
        new("movq %r9, 16(%rcx)", "4c894910", w => w.Move(new Address(Register.Rcx, 16), Register.R9)),
        new("movq $-7, %r10", "49c7c2f9ffffff", w => w.Move(Register.R10, -7)),
        new("movq -128(%rbp,%rcx,8), %r9", "4c8b4ccd80", w => w.Move(Register.R9, new Address(Register.Rbp, -128, Register.Rcx, 8))),
        new("addq %rdx, %r8", "4901d0", w => w.Add(Register.R8, Register.Rdx)),
        new("addq $127, %r9", "4983c17f", w => w.Add(Register.R9, 127)),
        new("addq $128, %rdx", "4881c280000000", w => w.Add(Register.Rdx, 128)),
        new("subq $4, %rax", "4883e804", w => w.Subtract(Register.Rax, 4)),
        new("subq $4096, %r11", "4981eb00100000", w => w.Subtract(Register.R11, 4096)),
        new("orq %rdx, %rax", "4809d0", w => w.Or(Register.Rax, Register.Rdx)),
        new("shlq $32, %rdx", "48c1e220", w => w.ShiftLeft(Register.Rdx, 32)),
        new("cmpq $0, %r8", "4983f800", w => w.Compare(Register.R8, 0)),
        new("prefetcht0 (%rdx)", "0f180a", w => w.Prefetch(Register.Rdx)),
        new("prefetcht0 512(%r11,%rax)", "410f188c0300020000", w => w.Prefetch(new Address(Register.R11, 512, Register.Rax))),
        new("xgetbv", "0f01d0", w => w.GetExtendedControl()),
        new("ret", "c3", w => w.Return()),
        new("vzeroupper", "c5f877", w => w.ClearUpper()),
        new("vmovups (%rdx), %zmm0", "62f17c481002", w => w.Vector(VectorInstruction.Load, 0, Register.Rdx)),
        new("vmovups 64(%rdx), %zmm31", "62617c48107a01", w => w.Vector(VectorInstruction.Load, 31, new Address(Register.Rdx, 64))),
        new("vmovups 100(%r9), %zmm9", "62517c48108964000000", w => w.Vector(VectorInstruction.Load, 9, new Address(Register.R9, 100))),
        new("vmovups (%r8,%r10,2), %zmm17", "62817c48100c50", w => w.Vector(VectorInstruction.Load, 17, new Address(Register.R8, 0, Register.R10, 2))),
        new("vmovups %zmm16, -8192(%r10)", "62c17c48114280", w => w.Vector(VectorInstruction.Store, 16, new Address(Register.R10, -8192))),
        new("vmovups %zmm3, 8192(%r13)", "62d17c48119d00200000", w => w.Vector(VectorInstruction.Store, 3, new Address(Register.R13, 8192))),
        new("vbroadcastss 28(%r9), %zmm2", "62d27d48185107", w => w.Vector(VectorInstruction.Broadcast, 2, new Address(Register.R9, 28))),
        new("vbroadcastss %xmm30, %zmm12", "62127d4818e6", w => w.Vector(VectorInstruction.Broadcast, 12, 30)),
        new("vxorps %zmm20, %zmm11, %zmm5", "62b1244857ec", w => w.Vector(VectorInstruction.Xor, 5, 11, 20)),
        new("vxorps %zmm31, %zmm31, %zmm31", "6201044057ff", w => w.Vector(VectorInstruction.Xor, 31, 31, 31)),
        new("vmulps %zmm0, %zmm16, %zmm16", "62e17c4059c0", w => w.Vector(VectorInstruction.Multiply, 16, 16, 0)),
        new("vfmadd231ps %zmm0, %zmm25, %zmm1", "62f23540b8c8", w => w.Vector(VectorInstruction.MultiplyAdd, 1, 25, 0)),
        new("vfmadd231ps 64(%r9), %zmm2, %zmm19", "62c26d48b85901", w => w.Vector(VectorInstruction.MultiplyAdd, 19, 2, new Address(Register.R9, 64))),
        new("vdpbf16ps %zmm2, %zmm0, %zmm16", "62e27e4852c2", w => w.Vector(VectorInstruction.DotPairs, 16, 0, 2)),
        new("vdpbf16ps %zmm29, %zmm30, %zmm31", "62020e4052fd", w => w.Vector(VectorInstruction.DotPairs, 31, 30, 29)),
        new("vdpbf16ps 128(%r11), %zmm7, %zmm8", "62524648524302", w => w.Vector(VectorInstruction.DotPairs, 8, 7, new Address(Register.R11, 128))),
        new("vdpbf16ps 8128(%rdx), %zmm21, %zmm1", "62f25640524a7f", w => w.Vector(VectorInstruction.DotPairs, 1, 21, new Address(Register.Rdx, 8128))),
        new("vdpbf16ps 4(%rdx), %zmm21, %zmm1", "62f25640528a04000000", w => w.Vector(VectorInstruction.DotPairs, 1, 21, new Address(Register.Rdx, 4))),
        new("vcvtne2ps2bf16 (%rdx), %zmm3, %zmm18", "62e267487212", w => w.Vector(VectorInstruction.RoundPairs, 18, 3, Register.Rdx)),
        new("vcvtne2ps2bf16 %zmm25, %zmm30, %zmm1", "62920f4072c9", w => w.Vector(VectorInstruction.RoundPairs, 1, 30, 25)),
        new("vpermw %zmm17, %zmm5, %zmm29", "6222d5488de9", w => w.Vector(VectorInstruction.PermuteHalves, 29, 5, 17)),
        new("vpermw 64(%r9,%r8), %zmm5, %zmm2", "6292d5488d540101", w => w.Vector(VectorInstruction.PermuteHalves, 2, 5, new Address(Register.R9, 64, Register.R8))),
        new("vunpcklps %zmm20, %zmm11, %zmm5", "62b1244814ec", w => w.Vector(VectorInstruction.UnpackLow, 5, 11, 20)),
        new("vunpckhps %zmm2, %zmm19, %zmm31", "6261644015fa", w => w.Vector(VectorInstruction.UnpackHigh, 31, 19, 2)),
        new("vshufps $0x44, %zmm18, %zmm16, %zmm4", "62b17c40c6e244", w => w.Vector(VectorInstruction.Shuffle, 4, 16, 18, 0x44)),
        new("vshufps $0xee, %zmm3, %zmm29, %zmm30", "62611440c6f3ee", w => w.Vector(VectorInstruction.Shuffle, 30, 29, 3, 0xee)),
        new("vshuff32x4 $0x88, %zmm24, %zmm16, %zmm4", "62937d4023e088", w => w.Vector(VectorInstruction.ShuffleQuarters, 4, 16, 24, 0x88)),
        new("vshuff32x4 $0xdd, %zmm9, %zmm10, %zmm31", "62432d4823f9dd", w => w.Vector(VectorInstruction.ShuffleQuarters, 31, 10, 9, 0xdd)),
        new("ldtilecfg (%rcx)", "c4e2784901", w => w.ConfigureTiles(Register.Rcx)),
        new("ldtilecfg 64(%r9)", "c4c278494140", w => w.ConfigureTiles(new Address(Register.R9, 64))),
        new("tilerelease", "c4e27849c0", w => w.ReleaseTiles()),
        new("tilezero %tmm5", "c4e27b49e8", w => w.ZeroTile(5)),
        new("tileloadd (%rdx,%rax), %tmm6", "c4e27b4b3402", w => w.LoadTile(6, new Address(Register.Rdx, 0, Register.Rax))),
        new("tileloadd 64(%r9,%r10), %tmm1", "c4827b4b4c1140", w => w.LoadTile(1, new Address(Register.R9, 64, Register.R10))),
        new("tileloadd 1024(%r13), %tmm4", "c4c27b4ba42500040000", w => w.LoadTile(4, new Address(Register.R13, 1024))),
        new("tilestored %tmm3, 2048(%r8,%rax)", "c4c27a4b9c0000080000", w => w.StoreTile(new Address(Register.R8, 2048, Register.Rax), 3)),
        new("tdpbf16ps %tmm6, %tmm4, %tmm0", "c4e24a5cc4", w => w.DotPairTiles(0, 4, 6)),
        new("tdpbf16ps %tmm7, %tmm5, %tmm3", "c4e2425cdd", w => w.DotPairTiles(3, 5, 7)),
    ];

    private static IEnumerable<string> Texts => s_lines.Select(line => line.Text);

    [TestCaseSource(nameof(Texts))]
    public void TheBytesAreThoseOfAnAssembler(string text)
    {
        Line line = s_lines.Single(l => l.Text == text);
        Assert.That(Convert.ToHexStringLower(Bytes(line.Write)), Is.EqualTo(line.Hex));
    }

    [Test]
    public void JumpsReachTheirLabels()
    {
        byte[] bytes = Bytes(w =>
        {
            int again = w.Label(), end = w.Label();
            w.Mark(again);
            w.Jump(Condition.Zero, end);
            w.Jump(Condition.NotZero, again);
            w.Jump(again);
            w.Mark(end);
            w.Return();
        });
        Assert.That(Convert.ToHexStringLower(bytes), Is.EqualTo("0f840b0000000f85f4ffffffe9efffffffc3"));
        Assert.That(() => Bytes(w => w.Jump(w.Label())), Throws.InvalidOperationException.With.Message.Contains("not marked"));
    }

    [Test]
    public void AnInstalledAssemblerAgrees()
    {
        using var folder = new TemporaryFolder();
        string text = folder["code.s"], binary = folder["code.bin"], compiled = folder["code.o"];
        File.WriteAllLines(text, s_lines.Select(line => line.Text));
        if (!OperatingSystem.IsLinux() || !Ran("as", "--64", "-o", compiled, text) || !Ran("objcopy", "-O", "binary", "--only-section=.text", compiled, binary))
        {
            Assert.Ignore("no binutils here that know these instructions");
        }

        Assert.That(Convert.ToHexStringLower(File.ReadAllBytes(binary)), Is.EqualTo(string.Concat(s_lines.Select(line => line.Hex))));
    }

    private static byte[] Bytes(Action<Assembler> write)
    {
        var w = new Assembler();
        write(w);
        return w.ToBytes();
    }

    private static bool Ran(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private sealed record Line(string Text, string Hex, Action<Assembler> Write);
}
