Console.WriteLine("nanofold");
