using System.Text;

namespace NanoFold.Cli;

/// <summary>The terminal as it was found.</summary>
internal static class Terminal
{
    // Shows the cursor and takes colors back; on a line of its own, after whatever stood there.
    private static readonly byte[] s_restore = Encoding.ASCII.GetBytes("\u001b[?25h\u001b[0m\n");

    /// <summary>For an end in the middle of something: past the writers, which another thread may hold.</summary>
    public static void Restore()
    {
        try
        {
            if (!Console.IsOutputRedirected)
            {
                using Stream standard = Console.OpenStandardOutput();
                standard.Write(s_restore);
            }
            else if (!Console.IsErrorRedirected)
            {
                using Stream error = Console.OpenStandardError();
                error.Write(s_restore);
            }
        }
        catch (IOException)
        {
            // There is no terminal any more.
        }
    }
}
