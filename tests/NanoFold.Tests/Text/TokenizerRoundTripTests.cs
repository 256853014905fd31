using System.Text;
using FsCheck;
using FsCheck.Fluent;
using NanoFold.Engine.Text;

namespace NanoFold.Tests.Text;

public sealed class TokenizerRoundTripTests
{
    private static readonly Config s_config = Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(20240, 77);

    private static IEnumerable<Tokenizer> Tokenizers() =>
        [new ByteTokenizer(), new ByteTokenizer(documentMarks: true), Samples.Bpe, Samples.Train(300, documentMarks: true)];

    [TestCaseSource(nameof(Tokenizers))]
    public void AnyBytesComeBack(Tokenizer tokenizer)
    {
        Check.One(s_config, Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
        {
            int[] ids = tokenizer.Encode(bytes.AsSpan());
            return tokenizer.Decode(ids).AsSpan().SequenceEqual(bytes)
                && ids.All(id => id >= 0 && id < tokenizer.Vocab)
                && ids.Sum(id => tokenizer.ByteLengths[id]) == bytes.Length;
        }));
    }

    [TestCaseSource(nameof(Tokenizers))]
    public void AnyTextComesBack(Tokenizer tokenizer)
    {
        Check.One(s_config, Prop.ForAll(ArbMap.Default.ArbFor<NonNull<string>>(), given =>
        {
            // Lone surrogates are no text: UTF-8 has U+FFFD in their place.
            string text = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(given.Get));
            return tokenizer.DecodeText(tokenizer.Encode(given.Get)) == text;
        }));
    }

    [TestCaseSource(nameof(Tokenizers))]
    public void ChineseComesBack(Tokenizer tokenizer)
    {
        Assert.That(tokenizer.DecodeText(tokenizer.Encode(Samples.Chinese)), Is.EqualTo(Samples.Chinese));
    }

    [TestCaseSource(nameof(Tokenizers))]
    public void SpecialNamesInATextAreText(Tokenizer tokenizer)
    {
        int[] ids = tokenizer.Encode("<|bos|>x<|eos|>");
        Assert.That(tokenizer.DecodeText(ids), Is.EqualTo("<|bos|>x<|eos|>"));
        Assert.That(ids, Has.None.EqualTo(tokenizer.Bos ?? -1).And.None.EqualTo(tokenizer.Eos ?? -1));
    }

    [TestCaseSource(nameof(Tokenizers))]
    public void SpecialsAreNoBytes(Tokenizer tokenizer)
    {
        if (tokenizer is { Bos: { } bos, Eos: { } eos })
        {
            Assert.That(tokenizer.Decode([bos, .. tokenizer.Encode("x"), eos]), Is.EqualTo("x"u8.ToArray()));
            Assert.That((tokenizer.Describe(bos), tokenizer.Describe(eos)), Is.EqualTo(("<|bos|>", "<|eos|>")));
        }

        Assert.That(() => tokenizer.Decode([tokenizer.Vocab]), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => tokenizer.Decode([-1]), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void ThePlainByteTokenizerHas256Symbols()
    {
        var plain = new ByteTokenizer();
        Assert.That((plain.Vocab, plain.Bos, plain.Eos), Is.EqualTo((256, (int?)null, (int?)null)));
        var marked = new ByteTokenizer(documentMarks: true);
        Assert.That((marked.Vocab, marked.Bos, marked.Eos), Is.EqualTo((258, (int?)256, (int?)257)));
        Assert.That(plain.Encode("a\u00E9"), Is.EqualTo(new[] { 97, 0xC3, 0xA9 }));
    }
}
