using FsCheck;
using FsCheck.Fluent;
using NanoFold.Engine.Runs.Compression;

namespace NanoFold.Tests.Runs.Compression;

public class RangeCoderTests
{
    private static readonly FsCheck.Config s_check = FsCheck.Config.QuickThrowOnFailure.WithMaxTest(200).WithReplay(11, 43);

    [Test]
    public void WhatIsCodedIsRead()
        => Prop.ForAll(Symbols().ListOf().ToArbitrary(), symbols =>
        {
            var encoder = new RangeEncoder();
            double bits = 0;
            foreach ((ulong start, ulong frequency, ulong total) in symbols)
            {
                encoder.Encode(start, frequency, total);
                bits += Math.Log2((double)total / frequency);
            }

            byte[] coded = encoder.Finish();
            Assert.That(coded, Has.Length.LessThanOrEqualTo((bits * 1.0001 / 8) + 2 + (symbols.Count / 800.0)));
            var decoder = new RangeDecoder(coded);
            foreach ((ulong start, ulong frequency, ulong total) in symbols)
            {
                Assert.That(decoder.Find(total), Is.InRange(start, start + frequency - 1));
                decoder.Take(start, frequency, total);
            }
        }).Check(s_check);

    [Test]
    public void CarriesRunThroughBytesThatAreFull()
    {
        // The last of 3 symbols over and over fills bytes with ones, until the interval passes them.
        var encoder = new RangeEncoder();
        int[] symbols = [.. Enumerable.Repeat(2, 200), 0, .. Enumerable.Repeat(2, 200), 1, 1];
        for (int round = 0; round < 2; round++)
        {
            foreach (int symbol in symbols)
            {
                encoder.Encode((ulong)symbol, 1, 3);
            }

            byte[] coded = encoder.Finish();
            Assert.That(coded, Has.Length.EqualTo(81).Within(1), "a coder that has finished begins anew");
            var decoder = new RangeDecoder(coded);
            foreach (int symbol in symbols)
            {
                Assert.That(decoder.Find(3), Is.EqualTo((ulong)symbol));
                decoder.Take((ulong)symbol, 1, 3);
            }
        }
    }

    [Test]
    public void NothingTakesNoBytes() => Assert.That(new RangeEncoder().Finish(), Has.Length.LessThanOrEqualTo(1));

    private static Gen<(ulong Start, ulong Frequency, ulong Total)> Symbols() =>
        from bits in Gen.Choose(1, 48)
        from high in Gen.Choose(0, int.MaxValue - 1)
        from low in Gen.Choose(0, int.MaxValue - 1)
        from at in Gen.Choose(0, int.MaxValue - 1)
        from shift in Gen.Choose(0, 48)
        let total = ((((ulong)high << 31) | (uint)low) & ((1UL << bits) - 1)) + 1
        let start = (ulong)(at / (double)int.MaxValue * total)
        select (start, Math.Max(1, (total - start) >> shift), total);
}
