using NanoFold.Engine;

namespace NanoFold.Tests.Text;

/// <summary>Damages files as disks, editors and attackers do.</summary>
internal static class Mutation
{
    /// <summary>Writes damaged files one after the other and opens each: a fault of the file in one line, or nothing. Gives how many could be opened.</summary>
    /// <param name="path">The file.</param>
    /// <param name="count">How many.</param>
    /// <param name="make">The bytes of one.</param>
    /// <param name="open">Opens it.</param>
    public static int Try(string path, int count, Func<int, Random, byte[]> make, Action open)
    {
        var random = new Random(15);
        int read = 0;
        for (int i = 0; i < count; i++)
        {
            File.WriteAllBytes(path, make(i, random));
            try
            {
                open();
                read++;
            }
            catch (UserException e)
            {
                Assert.That(e.Message, Does.Not.Contain('\n').And.Length.LessThan(1000));
            }
        }

        return read;
    }

    public static byte[] Of(byte[] original, Random random)
    {
        List<byte> bytes = [.. original];
        int changes = random.Next(1, 4);
        for (int i = 0; i < changes && bytes.Count > 0; i++)
        {
            int place = random.Next(bytes.Count);
            int length = Math.Min(random.Next(1, 40), bytes.Count - place);
            switch (random.Next(6))
            {
                case 0:
                    bytes[place] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[place] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.RemoveRange(place, length);
                    break;
                case 3:
                    bytes.InsertRange(place, [.. bytes[place..(place + length)]]);
                    break;
                case 4:
                    bytes.RemoveRange(place, bytes.Count - place);
                    break;
                default:
                    // A digit more or another digit: the counts and ids of a file begin to lie.
                    int digit = bytes.FindIndex(place, value => char.IsAsciiDigit((char)value));
                    if (digit >= 0)
                    {
                        bytes.Insert(digit, (byte)('0' + random.Next(10)));
                    }

                    break;
            }
        }

        return [.. bytes];
    }
}
