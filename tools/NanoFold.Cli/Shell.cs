namespace NanoFold.Cli;

/// <summary>What is typed into a shell.</summary>
internal static class Shell
{
    // What no shell takes for anything else.
    private static readonly string s_plain = "_-+=:,./@%" + (OperatingSystem.IsWindows() ? @"\" : "");

    /// <summary>A path as a shell reads it: in quotes where it needs them, and never taken for an option.</summary>
    public static string Argument(string path)
    {
        path = path.StartsWith('-') ? $"./{path}" : path;
        if (path.All(c => char.IsLetterOrDigit(c) || s_plain.Contains(c)))
        {
            return path;
        }

        return OperatingSystem.IsWindows() ? $"\"{path}\"" : $"'{path.Replace("'", @"'\''")}'";
    }
}
