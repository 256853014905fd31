using NanoFold.Kernels;

namespace NanoFold.Tests;

public sealed class PhiloxTests
{
    // Random123's kat_vectors, philox4x32 10: counter words low to high, key words low to high.
    [TestCase(0x0000000000000000ul, 0x0000000000000000ul, 0x0000000000000000ul, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [TestCase(0xfffffffffffffffful, 0xfffffffffffffffful, 0xfffffffffffffffful, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [TestCase(0x299f31d0a4093822ul, 0x85a308d3243f6a88ul, 0x0370734413198a2eul, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void GivesTheKnownAnswers(ulong key, ulong low, ulong high, uint x0, uint x1, uint x2, uint x3)
    {
        Assert.That(Philox.Next(key, low, high), Is.EqualTo((x0, x1, x2, x3)));
    }

    [Test]
    public void BelowCoversItsRangeEvenly()
    {
        int[] counts = new int[7];
        for (uint i = 0; i < 7000; i++)
        {
            counts[Philox.Below(7, key: 42, i, 0)]++;
        }

        Assert.That(counts, Has.All.InRange(880, 1120), "1000 expected, four standard deviations are 117");
    }

    [Test]
    public void BelowAMaximalRangeIsTheWholeWord()
    {
        (uint low, uint high, _, _) = Philox.Next(1, 2, 3);
        Assert.That(Philox.Below(ulong.MaxValue, 1, 2, 3), Is.EqualTo((((ulong)high << 32) | low) - 1).Or.EqualTo(((ulong)high << 32) | low));
    }
}
