using System.Text;
using NanoFold.Engine.Text;

namespace NanoFold.Tests.Text;

/// <summary>Texts and tokenizers that several tests use.</summary>
internal static class Samples
{
    public const string English =
        "The cat sat on the mat. The cat didn't see the other cats; they'd gone at 10:45, hadn't they?\n\n"
        + "\tfor (int i = 0; i < 100; i++) { total += values[i]; }\n  Over and over and over again, 1000 times.  \n";

    public const string Chinese =
        "床前明月光,疑是地上霜。举头望明月,低头思故乡。\n人之初,性本善。性相近,习相远。\n床前明月光,低头思故乡。明月何时有?把酒问青天。\n";

    public const string Mixed = "Größe 42 naïve 日本語テキスト\u3000全角 😀😀 e\u0301 \u00A0Ж٣ x²\u2028ok\r\n";

    /// <summary>A BPE that has learned merges of all three.</summary>
    public static BpeTokenizer Bpe { get; } = Train(400);

    public static byte[] AllBytes { get; } = Encoding.UTF8.GetBytes(English + Chinese + Mixed);

    public static BpeTokenizer Train(int vocab, bool documentMarks = false)
    {
        var trainer = new BpeTrainer();
        trainer.Add(AllBytes);
        trainer.Add(AllBytes);
        return trainer.Train(vocab, documentMarks);
    }

    /// <summary>Random text of an alphabet on which the rules of cutting and merging meet.</summary>
    public static string RandomText(Random random, int length)
    {
        const string Alphabet = "aabcdelmrstvAZ019  ''\n\t.!?_中文明月é\u00A0\u3000\u0301²Ж";
        return string.Create(length, random, static (text, random) =>
        {
            foreach (ref char c in text)
            {
                c = Alphabet[random.Next(Alphabet.Length)];
            }
        });
    }
}
