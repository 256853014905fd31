using NanoFold.Kernels.Cpu.MatMul.Rounded;
using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Tests.Cpu.MatMul.Rounded;

/// <summary>Which units for bfloat16 are used, and what is said where none is.</summary>
public class UnitFactsTests
{
    private const string Refused = "the system allows no executable pages (Permission denied)";

    private static readonly UnitFacts s_both = new(true, true, null, null, null);

    [Test]
    public void AllThatIsThereIsUsable()
    {
        Assert.That(s_both.Usable(), Is.EqualTo(new[] { InstructionSet.Avx512Pairs, InstructionSet.Tiles }));
        Assert.That((s_both with { HasTiles = false }).Usable(), Is.EqualTo(new[] { InstructionSet.Avx512Pairs }));
        Assert.That((s_both with { Most = InstructionSet.Avx512Pairs }).Usable(), Is.EqualTo(new[] { InstructionSet.Avx512Pairs }));
        Assert.That((s_both with { TilesRefused = "no" }).Usable(), Is.EqualTo(new[] { InstructionSet.Avx512Pairs }));
    }

    [Test]
    public void FloatsAreUsedWhereTheSystemRefusesPrograms()
    {
        UnitFacts hardened = s_both with { PairsRefused = Refused, TilesRefused = Refused };
        Assert.That(hardened.Usable(), Is.Empty);
        Assert.That(hardened.WhyFloats(), Is.EqualTo(Refused));

        (InstructionSet? unit, double gain) = RoundedUnits.Choose(hardened.Usable());
        Assert.That((unit, gain), Is.EqualTo(((InstructionSet?)null, 1d)));
        Assert.That(RoundedEngines.Of(unit).Name, Is.EqualTo("bf16 widened, 512-bit 6x32"));
    }

    [Test]
    public void WhyFloatsAreUsedIsSaid()
    {
        Assert.That(new UnitFacts(false, false, null, null, null).WhyFloats(), Is.EqualTo("the processor has no unit for bfloat16"));
        Assert.That(new UnitFacts(true, false, null, null, InstructionSet.Avx512).WhyFloats(), Is.EqualTo("NANOFOLD_ISA switches its unit for bfloat16 off"));
        Assert.That((s_both with { PairsRefused = Refused, Most = InstructionSet.Avx2 }).WhyFloats(), Is.EqualTo("NANOFOLD_ISA switches its unit for bfloat16 off"));
        Assert.That(new UnitFacts(true, false, null, null, null).WhyFloats(), Is.EqualTo("its unit for bfloat16 is not faster than floats"));
        Assert.That(new UnitFacts(true, false, null, "the system does not permit tiles", null).WhyFloats(), Is.EqualTo("the system does not permit tiles"));
    }
}
